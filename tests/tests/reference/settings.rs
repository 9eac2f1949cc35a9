//! The page of all settings, with their defaults.

use std::fmt::Debug;
use std::fs;

use httpants_core::forms::{FormLimits, urlencoded};
use httpants_core::{Config, Timer};

use crate::debug::{fields, readable};
use crate::source::{self, sentence};
use crate::{at, table};

const HEAD: &str = "# Every limit, timer and default

Generated from the code by a test (`tests/tests/reference`): `UPDATE_REFERENCE=1 cargo test -p httpants-tests --test reference`
writes it anew. `config.` names fields of `Config` (`Server::config(|config| ..)`), `forms.` those of `FormLimits`
(`Server::forms(|forms| ..)`), `variables.` those of `Options` (`Server::variables(|variables| ..)`). Everything else is a method
of the type that is named. A timeout is `Some(duration)`; `None` disables it. Sizes are in bytes. What is refused, and how, is
in [errors](errors.md) and [verdicts](../protocol.md).

";

const CONFIG: &str = "http-core/src/connection/config.rs";

/// Returns rows with the values of a struct and the documentation of its fields.
fn rows(prefix: &str, path: &str, name: &str, default: &impl Debug) -> Vec<Vec<String>> {
    let values = fields(&format!("{default:?}"));
    let documented = source::fields(path, name);
    let names = |fields: &[(String, String)]| fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&values), names(&documented), "the fields of {name}");
    let mut rows = Vec::new();
    for ((field, value), (_, text)) in values.into_iter().zip(documented) {
        if value.starts_with(char::is_uppercase) && value.contains(" { ") {
            continue;
        }
        let value = readable(&value);
        let stated =
            text.split("Default ").nth(1).filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
        assert!(
            stated.is_none_or(|stated| stated.starts_with(&value)),
            "{name}::{field}: its documentation states another default than {value}: {text}"
        );
        rows.push(vec![format!("`{prefix}.{field}`"), value, text]);
    }
    rows
}

/// Returns rows for the builder methods whose documentation states a default.
fn builders() -> Vec<Vec<String>> {
    let mut functions = source::functions("http-driver/src");
    functions.retain(|function| function.text.contains("Default: "));
    // The server first, then the others by name; within one in the order of the source.
    functions.sort_by_key(|function| (function.owner != "Server", function.owner.clone()));
    let rows = functions.into_iter().map(|function| {
        let (before, after) = function.text.split_once("Default: ").unwrap();
        let default = sentence(after).trim_end_matches('.').to_owned();
        let meaning = sentence(before.trim()).to_owned();
        vec![format!("`{}::{}`", function.owner, function.name), default, meaning]
    });
    rows.collect()
}

/// Returns rows for the timers: their effects, and the settings for them.
fn timers() -> Vec<Vec<String>> {
    let documented = source::variants("http-core/src/connection/timers.rs", "Timer");
    assert_eq!(documented.len(), Timer::ALL.len());
    let defaults = fields(&format!("{:?}", Config::default().timeouts));
    let rows = Timer::ALL.iter().zip(documented).map(|(timer, (name, text))| {
        assert_eq!(format!("{timer:?}"), name);
        let field = timer.to_string().replace(' ', "_");
        let default = defaults.iter().find(|(name, _)| *name == field).map(|(_, value)| readable(value));
        let (setting, default) = match (timer, default) {
            (Timer::Age, None) => ("`Server::max_connection_age`".into(), "none".into()),
            (Timer::BodyRate, Some(rate)) => ("`config.timeouts.body_rate`".into(), format!("{rate} bytes a second")),
            (_, default) => (format!("`config.timeouts.{field}`"), default.unwrap()),
        };
        vec![format!("`Timer::{name}`"), default, setting, text]
    });
    rows.collect()
}

pub(crate) fn page() -> String {
    let config = Config::default();
    let mut all = rows("config", CONFIG, "Config", &config);
    all.extend(rows("config.limits", CONFIG, "Limits", &config.limits));
    all.extend(rows("config.timeouts", CONFIG, "Timeouts", &config.timeouts));
    all.extend(rows("forms", "http-core/src/forms/limits.rs", "FormLimits", &FormLimits::default()));
    let variables = urlencoded::Options::default();
    all.extend(rows("variables", "http-core/src/forms/urlencoded.rs", "Options", &variables));
    all.extend(builders());
    let bound = config.limits.memory_bound();
    format!(
        "{HEAD}{}\n## Timers\n\nEach deadline has a name, which logs and counters use (`Counters::timeouts`).\n\n{}\n\
         ## Memory of one connection\n\n`config.limits.memory_bound()` is {bound} bytes with these defaults ({} KiB): \
         [how memory is bounded](../explanation/memory.md).\n",
        table(&["setting", "default", "meaning"], all),
        table(&["timer", "default", "set by", "when it expires"], timers()),
        bound / 1024,
    )
}

/// Returns the page with the options of the demo.
pub(crate) fn demo_page() -> String {
    let source = fs::read_to_string(at("demo/src/options.rs")).unwrap();
    let help = source.split_once("Usage: demo").unwrap().1.split_once("\n\";").unwrap().0;
    format!(
        "# Options of the demo\n\nThe output of `cargo run --release -- --help`, copied by a test. The program shows each setting of \
         the server as an option;\nits source is in [`demo/src`](../../demo/src).\n\n```text\nUsage: demo{help}\n```\n"
    )
}
