//! Store of the attachments' bytes, as configured: a folder, or an S3-compatible store.

/// HTTP client of the S3 store.
mod http;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use taskfold_attachments::Store;

use crate::config::attachments::{S3, StoreLocation};

/// Opens the configured store.
pub fn store(location: &StoreLocation) -> anyhow::Result<Store> {
    match location {
        StoreLocation::Folder(folder) => in_folder(folder),
        StoreLocation::S3(s3) => in_s3(s3),
    }
}

fn in_folder(folder: &Path) -> anyhow::Result<Store> {
    let doing = || format!("opening the folder of attachments {}", folder.display());
    // Private.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(doing)?;
    let folder = folder.canonicalize().with_context(doing)?;
    // An acknowledged file is on disk.
    let files = LocalFileSystem::new_with_prefix(&folder).with_context(doing)?.with_fsync(true);
    Ok(Store::in_folder(Arc::new(files.with_automatic_cleanup(true)), folder))
}

fn in_s3(s3: &S3) -> anyhow::Result<Store> {
    let builder = AmazonS3Builder::new()
        .with_bucket_name(&s3.bucket)
        .with_region(&s3.region)
        .with_allow_http(true)
        .with_http_connector(http::Connector);
    let builder = match &s3.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint),
        None => builder,
    };
    let builder = match &s3.keys {
        Some((id, secret)) => builder.with_access_key_id(id).with_secret_access_key(secret),
        None => builder,
    };
    let bucket = builder.build().context("setting up the S3 store of attachments")?;
    Ok(Store::new(Arc::new(PrefixStore::new(bucket, s3.prefix.as_str()))))
}
