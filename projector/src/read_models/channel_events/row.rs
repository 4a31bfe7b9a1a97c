//! Row of an event that is delivered on the channel of a person or of a team's members.

use uuid::Uuid;

use crate::row::rows;

rows! {
    pub struct ChannelEventRow in "channel_events" version 1 digest "da2a3b3e-31bb-5d38-abe2-cbc1bf9a39b1"
        by (position): i64 {
        pub position: i64,
        pub team_id: Option<Uuid>,
        pub user_id: Option<Uuid>,
    }
}
