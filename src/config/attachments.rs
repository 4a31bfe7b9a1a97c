//! Settings of attachments: the store of their bytes, and their maximum size.

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Url;

/// Upper bound of the limits.
const MAX_BYTES: u64 = 1 << 50;

/// Flags as they were given.
#[derive(Debug, Args)]
pub(super) struct AttachmentFlags {
    /// Store of the attachments' bytes, the same for every command-api and query-api: `s3://bucket/prefix` or
    /// `file:///folder` [default: a folder in the data dir]
    #[arg(long, env = "TASKFOLD_ATTACHMENTS_URL", global = true)]
    attachments_url: Option<String>,
    /// Maximum size of an attachment, in bytes
    #[arg(long, env = "TASKFOLD_ATTACHMENT_BYTES", default_value = "2147483648", global = true)]
    attachment_bytes: String,
    /// Maximum size of all attachments of a project, in bytes; uploads in progress and deleted tasks count
    #[arg(long, env = "TASKFOLD_ATTACHMENT_BYTES_PER_PROJECT", default_value = "107374182400", global = true)]
    attachment_bytes_per_project: String,
    /// URL of an S3-compatible store other than Amazon's, such as http://minio:9000
    #[arg(long, env = "TASKFOLD_S3_ENDPOINT", global = true)]
    s3_endpoint: Option<String>,
    /// Region of the S3 bucket
    #[arg(long, env = "TASKFOLD_S3_REGION", default_value = "us-east-1", global = true)]
    s3_region: String,
    /// Access key id for the S3 store; without keys, the role of the machine is used
    #[arg(long, env = "TASKFOLD_S3_ACCESS_KEY_ID", hide_env_values = true, global = true)]
    s3_access_key_id: Option<String>,
    /// Secret access key for the S3 store
    #[arg(long, env = "TASKFOLD_S3_SECRET_ACCESS_KEY", hide_env_values = true, global = true)]
    pub(super) s3_secret_access_key: Option<String>,
}

/// Checked settings.
#[derive(Debug, Clone)]
pub struct Attachments {
    pub location: StoreLocation,
    /// Maximum size of an attachment.
    pub bytes: u64,
    /// Maximum size of all attachments of a project.
    pub bytes_per_project: u64,
}

/// Store of the attachments' bytes.
#[derive(Debug, Clone)]
pub enum StoreLocation {
    Folder(PathBuf),
    S3(S3),
}

/// S3 bucket and access to it.
#[derive(Debug, Clone)]
pub struct S3 {
    pub bucket: String,
    /// Prefix of the name of every object; may be empty.
    pub prefix: String,
    pub endpoint: Option<String>,
    pub region: String,
    /// Id and secret.
    pub keys: Option<(String, String)>,
}

impl AttachmentFlags {
    /// Checks the flags. `note` receives each mistake: the flag, its value, and the error.
    /// `secret_key`: the secret access key, given or from a file.
    pub(super) fn check(
        &self,
        data_dir: &Path,
        secret_key: Option<String>,
        note: &mut impl FnMut(&str, &str, &str),
    ) -> Option<Attachments> {
        // Scripts often set a variable to the empty string instead of leaving it unset.
        let given = |value: &Option<String>| value.clone().filter(|text| !text.trim().is_empty());
        let mut bytes = |flag: &str, text: &str| {
            let bytes = text.parse().ok().filter(|bytes| (1..=MAX_BYTES).contains(bytes));
            if bytes.is_none() {
                note(flag, text, &format!("must be a number of bytes from 1 to {MAX_BYTES}"));
            }
            bytes
        };
        let of_one = bytes("attachment-bytes", &self.attachment_bytes);
        let of_project = bytes("attachment-bytes-per-project", &self.attachment_bytes_per_project);
        let endpoint = given(&self.s3_endpoint);
        if let Some(text) = &endpoint
            && !Url::parse(text).is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
        {
            note("s3-endpoint", text, "must be a URL such as https://host:9000");
        }
        let keys = match (given(&self.s3_access_key_id), secret_key) {
            (Some(id), Some(secret)) => Some((id, secret)),
            (None, None) => None,
            (Some(_), None) => {
                note("s3-secret-access-key", "", "must be set together with --s3-access-key-id");
                None
            }
            (None, Some(_)) => {
                note("s3-access-key-id", "", "must be set together with --s3-secret-access-key");
                None
            }
        };
        let url = given(&self.attachments_url);
        let location = match &url {
            None => Some(StoreLocation::Folder(data_dir.join("attachments"))),
            Some(url) => match url.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
                Some((bucket, prefix)) => is_bucket(bucket).then(|| {
                    StoreLocation::S3(S3 {
                        bucket: bucket.to_owned(),
                        prefix: prefix.trim_matches('/').to_owned(),
                        endpoint,
                        region: self.s3_region.clone(),
                        keys,
                    })
                }),
                None => Url::parse(url).ok().filter(|url| url.scheme() == "file").and_then(|url| {
                    let folder = url.to_file_path().ok()?;
                    Some(StoreLocation::Folder(folder))
                }),
            },
        };
        if location.is_none() {
            note("attachments-url", url.as_deref().unwrap_or_default(), "must be s3://bucket/prefix or file:///folder");
        }
        Some(Attachments { location: location?, bytes: of_one?, bytes_per_project: of_project? })
    }
}

fn is_bucket(text: &str) -> bool {
    (3..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
}
