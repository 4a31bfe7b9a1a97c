//! Settings of an external OIDC issuer, whose tokens are accepted too.

use reqwest::Url;

/// External issuer of tokens.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// Value of `iss` in its tokens.
    pub issuer: String,
    pub audience: String,
    pub keys: KeysAt,
}

/// Location of an issuer's public keys.
#[derive(Debug, Clone)]
pub enum KeysAt {
    Jwks(Url),
    /// URL of the discovery document, which names the URL of the keys.
    Discovery(Url),
}

/// Checks the flags of the issuer, and notes each mistake.
pub(super) fn check(
    issuer: Option<String>,
    audience: Option<String>,
    jwks_url: Option<String>,
    note: &mut impl FnMut(&str, &str, &str),
) -> Option<Oidc> {
    let Some(issuer) = issuer else {
        for (flag, value) in [("oidc-audience", audience), ("oidc-jwks-url", jwks_url)] {
            if let Some(value) = value {
                note(flag, &value, "must be set together with --oidc-issuer");
            }
        }
        return None;
    };
    // OpenID Connect Discovery, 4: the well-known path is appended to the issuer.
    let discovery = web_url(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
        .filter(|_| web_url(&issuer).is_some_and(|url| url.query().is_none() && url.fragment().is_none()));
    if discovery.is_none() {
        note("oidc-issuer", &issuer, "must be a URL such as https://id.example.com");
    }
    if audience.is_none() {
        note("oidc-audience", "", "must be set together with --oidc-issuer");
    }
    let keys = match jwks_url {
        None => discovery.map(KeysAt::Discovery),
        Some(text) => {
            let url = web_url(&text);
            if url.is_none() {
                note("oidc-jwks-url", &text, "must be a URL such as https://id.example.com/keys");
            }
            url.map(KeysAt::Jwks)
        }
    };
    Some(Oidc { issuer, audience: audience?, keys: keys? })
}

fn web_url(text: &str) -> Option<Url> {
    text.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::config::Cli;

    #[test]
    fn the_settings_of_an_external_issuer_are_complete_or_absent() -> anyhow::Result<()> {
        let settings = |flags: &[&str]| Cli::try_parse_from(["taskfold"].iter().chain(flags)).map(|cli| cli.settings());
        let issuer = "--oidc-issuer=https://id.example.com/work/";
        let oidc = settings(&[issuer, "--oidc-audience=taskfold"])?.map_err(|e| anyhow::anyhow!("{e:?}"))?.oidc;
        let Some(Oidc { keys: KeysAt::Discovery(url), issuer: said, .. }) = oidc else { anyhow::bail!("{oidc:?}") };
        assert_eq!(url.as_str(), "https://id.example.com/work/.well-known/openid-configuration");
        assert_eq!(said, "https://id.example.com/work/");
        for (flags, wrong) in [
            (vec![issuer], 1),
            (vec!["--oidc-audience=x"], 1),
            (vec!["--oidc-issuer=nowhere", "--oidc-jwks-url=ftp://x/y"], 3),
            (vec!["--oidc-issuer=https://x/?a=b", "--oidc-audience=x"], 1),
        ] {
            assert_eq!(settings(&flags)?.expect_err("something is wrong").len(), wrong, "{flags:?}");
        }
        Ok(())
    }
}
