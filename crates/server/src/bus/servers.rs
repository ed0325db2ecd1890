//! Where the NATS servers are, and who we are to them.

use std::fmt;

use anyhow::Context as _;
use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

/// Most servers named.
const SERVERS_MAX: usize = 16;

/// Who we are. Does not print.
#[derive(Clone)]
enum Login {
    Nobody,
    Token(String),
    User(String, String),
}

/// Addresses of NATS servers of one cluster. Kept apart from what they know us by, so that no
/// address that is printed somewhere holds a secret.
#[derive(Clone)]
pub struct Servers {
    addresses: Vec<ServerAddr>,
    login: Login,
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Servers({self})")
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, address) in self.addresses.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{}", address.as_url_str())?;
        }
        Ok(())
    }
}

impl Servers {
    /// Reads `nats://host:port`, `tls://host:port`, with `user:password@` or `token@` before the
    /// host, or several with commas between them; the first that names somebody counts.
    ///
    /// # Errors
    /// An address that is none, or too many; the text holds nothing of the address.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut servers = Self {
            addresses: Vec::new(),
            login: Login::Nobody,
        };
        for one in text.split(',') {
            let (address, login) =
                server(one.trim()).context("expected nats:// or tls://, a host and a port")?;
            if matches!(servers.login, Login::Nobody) {
                servers.login = login;
            }
            servers.addresses.push(address);
        }
        anyhow::ensure!(
            servers.addresses.len() <= SERVERS_MAX,
            "at most {SERVERS_MAX} servers"
        );
        Ok(servers)
    }

    pub(super) fn addresses(&self) -> &[ServerAddr] {
        &self.addresses
    }

    /// Tells them who we are.
    pub(super) fn introduce(
        &self,
        options: async_nats::ConnectOptions,
    ) -> async_nats::ConnectOptions {
        match &self.login {
            Login::Nobody => options,
            Login::Token(token) => options.token(token.clone()),
            Login::User(user, password) => {
                options.user_and_password(user.clone(), password.clone())
            }
        }
    }
}

/// An address without its secrets, and those.
fn server(text: &str) -> Option<(ServerAddr, Login)> {
    if !(text.starts_with("nats://") || text.starts_with("tls://")) {
        return None;
    }
    let mut url = text.parse::<ServerAddr>().ok()?.into_inner();
    url.host_str().filter(|host| !host.is_empty())?;
    let plain = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    let login = match (url.username(), url.password()) {
        ("", None) => Login::Nobody,
        (token, None) => Login::Token(plain(token)?),
        (user, Some(password)) => Login::User(plain(user)?, plain(password)?),
    };
    url.set_password(None).ok()?;
    url.set_username("").ok()?;
    // What is no part of an address may be a secret too.
    url.set_path("");
    url.set_query(None);
    url.set_fragment(None);
    Some((ServerAddr::from_url(url).ok()?, login))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(text: &str) -> String {
        match Servers::parse(text).unwrap().login {
            Login::Nobody => "nobody".to_owned(),
            Login::Token(token) => format!("token {token}"),
            Login::User(user, password) => format!("{user} {password}"),
        }
    }

    #[test]
    fn who_we_are_is_taken_from_the_address() {
        assert_eq!(login("nats://h:1"), "nobody");
        assert_eq!(login("tls://t%40k@h:1"), "token t@k");
        assert_eq!(login("nats://u:p%3Aw@h:1"), "u p:w");
        assert_eq!(login("nats://a:1, nats://u:p@b:2"), "u p");
    }

    #[test]
    fn secrets_never_print() {
        let servers = Servers::parse("nats://u:hidden@a:1/hidden?hidden,tls://hidden@b:2").unwrap();
        for text in [format!("{servers:?}"), servers.to_string()] {
            assert!(!text.contains("hidden"), "{text}");
            assert!(text.contains("a:1") && text.contains("b:2"), "{text}");
        }
        for wrong in [
            "http://u:hidden@h",
            "nats://u:hidden@",
            "hidden",
            "nats://u:hidden@h:x",
        ] {
            let error = format!("{:#}", Servers::parse(wrong).unwrap_err());
            assert!(!error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn so_many_servers_may_be_named() {
        let named = |count: usize| vec!["nats://h:1"; count].join(",");
        assert_eq!(
            Servers::parse(&named(SERVERS_MAX)).unwrap().addresses.len(),
            SERVERS_MAX
        );
        assert!(Servers::parse(&named(SERVERS_MAX + 1)).is_err());
        assert!(Servers::parse("").is_err());
    }
}
