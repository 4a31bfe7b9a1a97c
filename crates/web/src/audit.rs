//! Audit lines: one for each sign-in, refusal, token and link that is created, used or revoked. They say what happened,
//! to whom and from where, with ids and never with secrets. Their target is `taskfold::audit`, so that they can be
//! routed and kept apart from other lines.

use taskfold_event_log::metrics;
use uuid::Uuid;

use crate::client::Client;

macro_rules! actions {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal;)*) => {
        /// An action that creates, uses or ends authority.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Action {
            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

actions! {
    /// A request with a token.
    Authenticate = "authenticate";
    SignUp = "sign-up";
    SignIn = "sign-in";
    Refresh = "refresh";
    SignOut = "sign-out";
    /// End of other sessions of a person.
    SessionEnd = "session-end";
    PasswordChange = "password-change";
    ProfileChange = "profile-change";
    ApiTokenCreate = "api-token-create";
    ApiTokenRevoke = "api-token-revoke";
    InvitationCreate = "invitation-create";
    InvitationAccept = "invitation-accept";
    InvitationRevoke = "invitation-revoke";
    CalendarLinkCreate = "calendar-link-create";
    CalendarLinkUse = "calendar-link-use";
    CalendarLinkRevoke = "calendar-link-revoke";
    PlaceholderClaim = "placeholder-claim";
    TicketCreate = "ticket-create";
    TicketUse = "ticket-use";
}

/// Records an action. `user`: the person who acts. `subject`: id of the session, token or link.
pub fn done(action: Action, client: &Client, user: Uuid, subject: Uuid) {
    metrics::authority_actions(action.name(), "done").increment(1);
    let Client { address, user_agent } = client;
    tracing::info!(
        target: "taskfold::audit",
        action = action.name(), outcome = "done", user_id = %user, subject_id = %subject, %address,
        user_agent = user_agent.as_deref().unwrap_or_default(),
        "authority was created, used or ended"
    );
}

/// Records that an action was refused. `user`: the person who tried it, or whose account it was tried on.
pub fn refused(action: Action, client: &Client, user: Option<Uuid>, reason: &str) {
    metrics::authority_actions(action.name(), "refused").increment(1);
    let Client { address, user_agent } = client;
    tracing::info!(
        target: "taskfold::audit",
        action = action.name(), outcome = "refused", reason, user_id = user.map(tracing::field::display), %address,
        user_agent = user_agent.as_deref().unwrap_or_default(),
        "authority was refused"
    );
}
