use axum::body::Body;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use multer::Multipart;
use taskfold_attachments::uploads::receiving::Receiving;
use taskfold_attachments::uploads::{BodyError, File};
use taskfold_domain::input::{ContentType, FileName};
use taskfold_web::{Code, Problem};

use super::{body, declared};
use crate::http::error::ApiError;

/// Whether the body is a form (`multipart/form-data`), and not the file itself.
pub fn is_form(headers: &HeaderMap) -> bool {
    let essence = content_type(headers).split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("multipart/form-data")
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Takes the file from the body, and says what it is called.
pub async fn take(
    receiving: &mut Receiving,
    headers: &HeaderMap,
    name: Option<&str>,
    mut body: Body,
) -> Result<File, ApiError> {
    if is_form(headers) {
        let boundary = multer::parse_boundary(content_type(headers)).map_err(form_error)?;
        return of_form(receiving, name, Multipart::new(body::stream(body), boundary)).await;
    }
    while let Some(bytes) = body::next(&mut body).await? {
        receiving.take(bytes).await?;
    }
    Ok(declared::file(headers, name))
}

/// The one file of a form. Its other fields are read over.
async fn of_form(receiving: &mut Receiving, name: Option<&str>, mut form: Multipart<'_>) -> Result<File, ApiError> {
    let mut file = None;
    while let Some(mut field) = form.next_field().await.map_err(form_error)? {
        let Some(given) = field.file_name().map(str::to_owned) else { continue };
        if file.is_some() {
            return Err(Problem::invalid_field("", "must be one file; send others in requests of their own").into());
        }
        file = Some(File {
            name: FileName::cleaned(name.unwrap_or(&given)),
            content_type: ContentType::cleaned(field.content_type().map(|mime| mime.as_ref())),
        });
        while let Some(bytes) = field.chunk().await.map_err(form_error)? {
            receiving.take(bytes).await?;
        }
    }
    file.ok_or_else(|| Problem::invalid_field("", "must be a form with one file").into())
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
