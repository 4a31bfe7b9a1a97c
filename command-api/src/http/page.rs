use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::LINK;
use http::{HeaderValue, Uri};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use taskfold_web::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;
/// Of a list's name in a cursor.
const TAG_BYTES: usize = 8;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// From 1 to 200, 50 by default.
    limit: Option<i64>,
    cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    items: Vec<T>,
    /// Send it as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

/// A page that was asked for, of a list in the order of its ids: UUIDv7, so the oldest first.
pub struct Asked {
    pub after: Uuid,
    limit: usize,
    tag: [u8; TAG_BYTES],
}

impl Params {
    /// `name` and `of` say which list it is: a cursor is good for no other.
    pub fn of_list(&self, name: &str, of: Uuid) -> Result<Asked, Problem> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Problem::invalid_field("/limit", format!("must be from 1 to {MAX_LIMIT}")));
        }
        let digest = Sha256::digest(format!("{name}\n{of}"));
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&digest[..TAG_BYTES]);
        let after = match &self.cursor {
            None => Uuid::nil(),
            Some(text) => {
                place(text, tag).ok_or_else(|| Problem::invalid_field("/cursor", "is not a cursor of this list"))?
            }
        };
        Ok(Asked { after, limit: usize::try_from(limit).unwrap_or(usize::MAX), tag })
    }
}

fn place(cursor: &str, tag: [u8; TAG_BYTES]) -> Option<Uuid> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    Uuid::from_slice(bytes.strip_prefix(&tag)?).ok()
}

impl Asked {
    /// How many rows to read: one more says that there is a next page.
    pub fn rows(&self) -> i64 {
        i64::try_from(self.limit).map_or(i64::MAX, |limit| limit + 1)
    }

    pub fn page<T>(self, uri: &Uri, mut items: Vec<T>, id: impl Fn(&T) -> Uuid) -> Paged<T> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let next_cursor = items
            .last()
            .filter(|_| more)
            .map(|last| BASE64_URL_SAFE_NO_PAD.encode([&self.tag, id(last).as_bytes().as_slice()].concat()));
        // Of the alphabet of base64url and of digits, so nothing needs an escape.
        let link = next_cursor
            .as_ref()
            .map(|cursor| format!("<{}?limit={}&cursor={cursor}>; rel=\"next\"", uri.path(), self.limit));
        Paged { page: Page { items, next_cursor }, link }
    }
}

/// A page with the header `Link` (RFC 8288).
pub struct Paged<T> {
    page: Page<T>,
    link: Option<String>,
}

impl<T: Serialize> IntoResponse for Paged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.page).into_response();
        if let Some(link) = self.link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            response.headers_mut().insert(LINK, link);
        }
        response
    }
}
