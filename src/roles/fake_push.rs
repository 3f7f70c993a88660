//! `tidings fake-push`, and the same fakes beside `tidings dev`.

use std::io::Write;

use anyhow::Context;
use tokio::sync::broadcast::error::RecvError;

use crate::cli::FakePushArgs;
use crate::config::{Config, Secret};
use crate::lifecycle::Lifecycle;
use crate::push::fake::{self, Arrival, Handle, Options, SUBJECT};
use crate::telemetry::log;

/// Runs until it is told to stop.
///
/// Reads no configuration: one that names files which are only about to be made here would be refused.
pub fn fake_push(args: &FakePushArgs) -> anyhow::Result<()> {
    log::init(&Config::defaults().log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let lifecycle = Lifecycle::new();
        lifecycle.stop_on_signals().context("cannot listen for signals")?;
        let fakes = fake::run(options(args)?).await.context("the fake push services cannot start")?;
        let mut arrivals = fakes.arrivals();
        say(&greeting(&fakes))?;
        let stop = lifecycle.soft_stop();
        loop {
            let arrival = tokio::select! {
                () = stop.cancelled() => break,
                arrival = arrivals.recv() => arrival,
            };
            match arrival {
                Ok(arrival) => say(&line(&arrival))?,
                Err(RecvError::Lagged(missed)) => say(&format!("# … and {missed} more\n"))?,
                Err(RecvError::Closed) => break,
            }
        }
        fakes.stop().await;
        Ok(())
    })
}

/// Starts the fakes where nobody configured a provider and points the configuration at them;
/// `None` where somebody did, or does not want them.
pub(super) async fn beside_dev(config: &mut Config) -> anyhow::Result<Option<Handle>> {
    let is_configured =
        config.apns.is_configured() || config.fcm.is_configured() || config.webpush.is_configured();
    if is_configured || !config.embedded.fake_push || !config.push.enabled {
        return Ok(None);
    }
    let folder = config.embedded.data_dir.join("fake-push");
    let fakes = fake::run(Options::new(folder))
        .await
        .context("the fake push services cannot start; embedded.fake_push")?;
    point_at(config, &fakes).await?;
    tracing::info!(control = %fakes.control_url, "dev.fake_push");
    Ok(Some(fakes))
}

/// As the settings in `tidings.env` do. Browsers may also subscribe at the real push services: they take any VAPID key.
async fn point_at(config: &mut Config, fakes: &Handle) -> anyhow::Result<()> {
    let files = &fakes.files;
    config.apns.base_url = Some(fakes.apns_url.clone());
    config.apns.key_file = Some(files.apns_key.clone());
    config.apns.key_id = Some(files.apns_key_id.clone());
    config.apns.team_id = Some(files.apns_team_id.clone());
    config.apns.ca_file = Some(files.ca.clone());
    config.fcm.base_url = Some(fakes.fcm_url.clone());
    config.fcm.service_account_file = Some(files.fcm_service_account.clone());
    config.fcm.ca_file = Some(files.ca.clone());
    let key = tokio::fs::read_to_string(&files.vapid_key).await.context("the fake VAPID key")?;
    config.webpush.vapid_private_key = Some(Secret::new(key));
    config.webpush.subject = Some(SUBJECT.to_owned());
    config.webpush.allowed_hosts.push("127.0.0.1".to_owned());
    config.webpush.ca_file = Some(files.ca.clone());
    Ok(())
}

fn options(args: &FakePushArgs) -> anyhow::Result<Options> {
    let behind = |by: u16| match args.listen.port() {
        0 => Ok(0),
        port => port.checked_add(by).context("--listen: there are no three ports behind this one"),
    };
    Ok(Options {
        listen: args.listen.ip(),
        apns_port: behind(0)?,
        fcm_port: behind(1)?,
        webpush_port: behind(2)?,
        control_port: behind(3)?,
        topics: args.topics.clone(),
        project_id: args.project.clone(),
        ..Options::new(&args.data_dir)
    })
}

fn greeting(fakes: &Handle) -> String {
    let settings = fake::environment(&fakes.settings);
    format!(
        "# Stand-ins for the push services of Apple, Google and browsers. Phones and faults: {}\n\
         # These settings are in {} too.\n{settings}",
        fakes.control_url,
        fakes.files.environment.display(),
    )
}

/// One push as a comment, so that the whole output still reads as settings.
fn line(Arrival { platform, token, alert, badge }: &Arrival) -> String {
    let short: String = token.chars().take(12).collect();
    let badge = badge.map(|badge| format!(", badge {badge}")).unwrap_or_default();
    let platform = format!("{platform:?}").to_lowercase();
    match alert {
        Some(alert) => {
            let text = |text: &Option<String>| text.as_deref().unwrap_or_default().to_owned();
            format!("# {platform} {short}… rings: {:?} {:?}{badge}\n", text(&alert.title), text(&alert.body))
        }
        None => format!("# {platform} {short}… silently{badge}\n"),
    }
}

/// Standard output may be a pipe that nobody reads any more; the fakes go on.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::provider::Platform;

    fn args(listen: &str) -> FakePushArgs {
        FakePushArgs {
            listen: listen.parse().expect("an address"),
            data_dir: "/x".into(),
            topics: vec!["org.example.chat".to_owned()],
            project: "p".to_owned(),
        }
    }

    #[test]
    fn the_ports_follow_each_other_or_are_all_free_ones() {
        let options = options(&args("127.0.0.1:8190")).expect("options");
        let ports = [options.apns_port, options.fcm_port, options.webpush_port, options.control_port];
        assert_eq!(ports, [8190, 8191, 8192, 8193]);
        let free = super::options(&args("127.0.0.1:0")).expect("options");
        assert_eq!([free.apns_port, free.fcm_port, free.webpush_port, free.control_port], [0; 4]);
        assert!(super::options(&args("127.0.0.1:65534")).is_err());
    }

    #[test]
    fn a_push_is_one_line_whatever_is_in_its_text() {
        let alert = fake::Shown {
            key: String::new(),
            title: Some("Ann".to_owned()),
            body: Some("two\nlines".to_owned()),
            thread: None,
            sound: None,
            channel: None,
            at_ms: 0,
            data: serde_json::Value::Null,
        };
        let arrival = Arrival {
            platform: Platform::Apns,
            token: "0123456789abcdef".to_owned(),
            alert: Some(alert),
            badge: Some(2),
        };
        assert_eq!(line(&arrival), "# apns 0123456789ab… rings: \"Ann\" \"two\\nlines\", badge 2\n");
    }
}
