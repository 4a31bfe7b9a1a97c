//! Where the bytes of attachments go, and how many one may have.

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Url;

/// As they are written.
#[derive(Debug, Args)]
pub(super) struct AttachmentFlags {
    /// Where the bytes of attachments go: `s3://bucket/prefix`, or `file:///folder`; by default a folder in the data dir.
    /// Every command-api and query-api must see the same
    #[arg(long, env = "TASKFOLD_ATTACHMENTS_URL", global = true)]
    attachments_url: Option<String>,
    /// Bytes that one attachment may have
    #[arg(long, env = "TASKFOLD_ATTACHMENT_BYTES", default_value = "2147483648", global = true)]
    attachment_bytes: String,
    /// Of an S3-compatible store that is not Amazon's, such as http://minio:9000
    #[arg(long, env = "TASKFOLD_S3_ENDPOINT", global = true)]
    s3_endpoint: Option<String>,
    #[arg(long, env = "TASKFOLD_S3_REGION", default_value = "us-east-1", global = true)]
    s3_region: String,
    /// Without keys, the role of the machine is used
    #[arg(long, env = "TASKFOLD_S3_ACCESS_KEY_ID", hide_env_values = true, global = true)]
    s3_access_key_id: Option<String>,
    #[arg(long, env = "TASKFOLD_S3_SECRET_ACCESS_KEY", hide_env_values = true, global = true)]
    s3_secret_access_key: Option<String>,
}

/// Settings that have been checked.
#[derive(Debug, Clone)]
pub struct Attachments {
    pub place: Place,
    /// Of one, at most.
    pub bytes: u64,
}

#[derive(Debug, Clone)]
pub enum Place {
    Folder(PathBuf),
    S3(S3),
}

#[derive(Debug, Clone)]
pub struct S3 {
    pub bucket: String,
    /// Before the name of every object; may be empty.
    pub prefix: String,
    pub endpoint: Option<String>,
    pub region: String,
    /// Id and secret.
    pub keys: Option<(String, String)>,
}

impl AttachmentFlags {
    /// `note` takes each mistake: the flag, its value, and what is wrong.
    pub(super) fn check(&self, data_dir: &Path, note: &mut impl FnMut(&str, &str, &str)) -> Option<Attachments> {
        // A variable that is set to nothing is what scripts make of one that is not set.
        let given = |value: &Option<String>| value.clone().filter(|text| !text.trim().is_empty());
        let bytes = self.attachment_bytes.parse().ok().filter(|bytes| (1..=1 << 50).contains(bytes));
        if bytes.is_none() {
            note("attachment-bytes", &self.attachment_bytes, "a number of bytes from 1 to 1125899906842624");
        }
        let endpoint = given(&self.s3_endpoint);
        if let Some(text) = &endpoint
            && !Url::parse(text).is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
        {
            note("s3-endpoint", text, "not a URL such as https://host:9000");
        }
        let keys = match (given(&self.s3_access_key_id), given(&self.s3_secret_access_key)) {
            (Some(id), Some(secret)) => Some((id, secret)),
            (None, None) => None,
            (Some(_), None) => {
                note("s3-secret-access-key", "", "goes together with --s3-access-key-id");
                None
            }
            (None, Some(_)) => {
                note("s3-access-key-id", "", "goes together with --s3-secret-access-key");
                None
            }
        };
        let url = given(&self.attachments_url);
        let place = match &url {
            None => Some(Place::Folder(data_dir.join("attachments"))),
            Some(url) => match url.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
                Some((bucket, prefix)) => is_bucket(bucket).then(|| {
                    Place::S3(S3 {
                        bucket: bucket.to_owned(),
                        prefix: prefix.trim_matches('/').to_owned(),
                        endpoint,
                        region: self.s3_region.clone(),
                        keys,
                    })
                }),
                None => Url::parse(url).ok().filter(|url| url.scheme() == "file").and_then(|url| {
                    let folder = url.to_file_path().ok()?;
                    Some(Place::Folder(folder))
                }),
            },
        };
        if place.is_none() {
            note(
                "attachments-url",
                url.as_deref().unwrap_or_default(),
                "not s3://bucket/prefix and not file:///folder",
            );
        }
        Some(Attachments { place: place?, bytes: bytes? })
    }
}

fn is_bucket(text: &str) -> bool {
    (3..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
}
