use axum::body::Bytes;
use taskfold_attachments::{Whole, Writer};
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_openapi::{Problem, clock};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Duration, Instant};

use super::{Attachments, database_problem, store_problem, uploads};
use crate::engine::Envelope;

/// How often a long upload says that it is alive; the janitor takes those for dead that have been silent for a day.
const TOUCH: Duration = Duration::from_secs(60);

/// A file on its way in. Dropped before [`Receiving::keep`], it takes away what was stored of it: the connection may break,
/// and the request with it, at any await.
pub struct Receiving {
    attachments: Attachments,
    pub id: AttachmentId,
    writer: Option<Writer>,
    touched: Instant,
    _place: OwnedSemaphorePermit,
}

impl Receiving {
    pub async fn begin(attachments: &Attachments, task: TaskId, envelope: &Envelope) -> Result<Self, Problem> {
        let place = attachments.place()?;
        let id = AttachmentId(clock::new_id());
        within(REQUEST, uploads::begin(&attachments.pool, id, task, envelope)).await.map_err(database_problem)?;
        Ok(Self {
            attachments: attachments.clone(),
            id,
            writer: Some(Writer::new(attachments.store.clone(), id)),
            touched: Instant::now(),
            _place: place,
        })
    }

    pub async fn take(&mut self, bytes: Bytes) -> Result<(), Problem> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        if writer.size() + bytes.len() as u64 > self.attachments.limit {
            return Err(self.attachments.too_large());
        }
        writer.push(bytes).await.map_err(store_problem)?;
        if self.touched.elapsed() > TOUCH {
            self.touched = Instant::now();
            within(REQUEST, uploads::touch(&self.attachments.pool, self.id)).await.map_err(database_problem)?;
        }
        Ok(())
    }

    /// Stores what is left of it.
    pub async fn whole(&mut self) -> Result<Whole, Problem> {
        let mut whole = Whole::default();
        if let Some(writer) = &mut self.writer {
            whole = writer.finish().await.map_err(store_problem)?;
        }
        Ok(whole)
    }

    /// From here on the log says whether the bytes stay: whatever happens to the request, the append may be on its way.
    pub async fn keep(mut self) -> Result<AttachmentId, Problem> {
        if !within(REQUEST, uploads::committing(&self.attachments.pool, self.id)).await.map_err(database_problem)? {
            return Err(Problem::unavailable("The upload"));
        }
        self.writer = None;
        Ok(self.id)
    }

    /// Takes away what was stored, before the refusal is answered.
    pub async fn discard(mut self) {
        if let Some(writer) = self.writer.take() {
            remove(self.attachments.clone(), self.id, writer).await;
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            tokio::spawn(remove(self.attachments.clone(), self.id, writer));
        }
    }
}

async fn remove(attachments: Attachments, id: AttachmentId, mut writer: Writer) {
    // A part that is being written would come after the removal.
    let _ = writer.settle().await;
    discard(&attachments, id).await;
}

/// Takes away the bytes and then the row that says they may be there. What fails is left to the janitor.
pub async fn discard(attachments: &Attachments, id: AttachmentId) {
    if let Err(error) = attachments.store.remove(id).await {
        tracing::warn!(%error, attachment_id = %id, "what is left of an upload stays until the janitor comes");
        return;
    }
    if let Err(error) = within(REQUEST, uploads::remove(&attachments.pool, id)).await {
        tracing::warn!(%error, attachment_id = %id, "what is left of an upload stays until the janitor comes");
    }
}
