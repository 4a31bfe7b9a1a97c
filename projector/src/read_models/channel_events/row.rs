//! Row of an event that is delivered on the channel of a person or of a team's members.

use uuid::Uuid;

use crate::row::rows;

rows! {
    pub struct ChannelEventRow in "channel_events" version 1 digest "9854180a-0060-50fa-9edf-0cd09b251978"
        by (position): i64 {
        pub position: i64,
        pub team_id: Option<Uuid>,
        pub user_id: Option<Uuid>,
    }
}
