//! The file in the body of a request.

use axum::body::Body;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use multer::Multipart;
use taskfold_attachments::uploads::single::SingleUpload;
use taskfold_attachments::uploads::{BodyError, File};
use taskfold_domain::input::FileName;
use taskfold_web::{Code, Problem};

use super::{body, declared};
use crate::http::error::ApiError;

/// True if the body is a form (`multipart/form-data`), and not the file itself.
pub fn is_form(headers: &HeaderMap) -> bool {
    let essence = content_type(headers).split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("multipart/form-data")
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Receives the file, and returns its name and type. `declared`: those of a body that is the file.
pub async fn receive(
    upload: &mut SingleUpload,
    headers: &HeaderMap,
    declared: Option<File>,
    name: Option<&str>,
    mut body: Body,
) -> Result<File, ApiError> {
    let Some(file) = declared else {
        let boundary = multer::parse_boundary(content_type(headers)).map_err(form_error)?;
        return receive_form(upload, name, Multipart::new(body::stream(body), boundary)).await;
    };
    while let Some(bytes) = body::next(&mut body).await? {
        upload.push(bytes).await?;
    }
    Ok(file)
}

/// Receives the file of a form. Other fields are ignored.
async fn receive_form(
    upload: &mut SingleUpload,
    name: Option<&str>,
    mut form: Multipart<'_>,
) -> Result<File, ApiError> {
    let mut file = None;
    while let Some(mut field) = form.next_field().await.map_err(form_error)? {
        let Some(given) = field.file_name().map(str::to_owned) else { continue };
        if file.is_some() {
            return Err(
                Problem::invalid_field("", "must contain only one file: send each file in its own request").into()
            );
        }
        file = Some(File {
            name: FileName::cleaned(name.unwrap_or(&given)),
            content_type: declared::content_type(
                field.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()),
            )?,
        });
        while let Some(bytes) = field.chunk().await.map_err(form_error)? {
            upload.push(bytes).await?;
        }
    }
    file.ok_or_else(|| Problem::invalid_field("", "must contain a file").into())
}

fn form_error(error: multer::Error) -> ApiError {
    match error {
        multer::Error::StreamReadFailed(error) => {
            error.downcast_ref::<BodyError>().copied().unwrap_or(BodyError::BrokenOff).into()
        }
        multer::Error::IncompleteStream
        | multer::Error::IncompleteHeaders
        | multer::Error::IncompleteFieldData { .. } => BodyError::BrokenOff.into(),
        _ => Problem::new(Code::Malformed, "The body is not valid multipart/form-data (RFC 7578)").into(),
    }
}
