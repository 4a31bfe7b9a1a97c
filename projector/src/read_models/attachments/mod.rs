//! Files on tasks.

mod fold;
mod row;
#[cfg(test)]
mod tests;

pub use fold::apply;
pub use row::AttachmentRow;
