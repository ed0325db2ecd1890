//! Settings from the environment: `CROWDLINK_LIMITS_REST_BODY_BYTES_MAX=1048576`.

use std::ffi::OsString;
use std::path::PathBuf;

use super::error::{SettingsError, Source};
use super::setting::nearest;
use super::{Given, TABLE};

/// Names the settings file where `--config` does not.
pub const CONFIG_VARIABLE: &str = "CROWDLINK_CONFIG";

const PREFIX: &str = "CROWDLINK_";

#[derive(Debug, Default)]
pub(super) struct Environment {
    pub(super) config: Option<PathBuf>,
    pub(super) given: Vec<Given>,
}

pub(super) fn read(variables: &[(OsString, OsString)]) -> Result<Environment, SettingsError> {
    let mut environment = Environment::default();
    for (name, value) in variables {
        let name = name.to_string_lossy();
        if name == CONFIG_VARIABLE {
            environment.config = Some(PathBuf::from(value));
        } else if name.starts_with(PREFIX) && !is_service_link(&name) {
            add(&mut environment.given, &name, &value.to_string_lossy())?;
        }
    }
    Ok(environment)
}

/// Kubernetes writes `CROWDLINK_SERVICE_HOST`, `CROWDLINK_PORT_5050_TCP` and the like into every
/// pod beside a service called crowdlink: nobody wrote them as settings.
fn is_service_link(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}

fn add(given: &mut Vec<Given>, name: &str, value: &str) -> Result<(), SettingsError> {
    let source = Source::Variable(name.to_owned());
    let found = TABLE
        .iter()
        .find(|setting| setting.variables().any(|variable| variable == name));
    let Some(setting) = found else {
        let known = TABLE
            .iter()
            .flat_map(super::Setting::variables)
            .chain([CONFIG_VARIABLE.to_owned()]);
        return Err(SettingsError::UnknownKey {
            key: name.to_owned(),
            nearest: nearest(name, known),
            source,
        });
    };
    if let Some(first) = given.iter().find(|other| other.setting.key == setting.key) {
        return Err(SettingsError::Twice {
            key: setting.key,
            first: first.source.clone(),
            second: source,
        });
    }
    given.push(Given {
        setting,
        text: value.to_owned(),
        source,
    });
    Ok(())
}
