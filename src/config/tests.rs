use std::{fs, path::PathBuf, time::Duration};

use super::*;

pub(super) fn environment(pairs: &[(&str, &str)]) -> Sources {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Sources { environment: pairs.iter().map(own).collect(), ..Sources::default() }
}

/// Kept until the end of the test, with the path of the file in it.
pub(super) fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidings.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn refused(sources: &Sources) -> String {
    load(sources).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_valid_and_those_of_the_design() {
    let loaded = load(&Sources::default()).unwrap();
    let config = loaded.config;
    assert!(loaded.origins.is_empty() && loaded.warnings.is_empty());
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.server.ops_listen, "127.0.0.1:9090".parse().unwrap());
    assert_eq!(config.gateway.heartbeat, Duration::from_secs(25));
    assert_eq!(config.gateway.max_frame_bytes, 65_536);
    assert_eq!(config.gateway.outbox_bytes, 1 << 20);
    assert_eq!(config.gateway.messages_per_second, 50);
    assert_eq!(config.gateway.message_burst, 500);
    assert_eq!(config.ingress.linger, Duration::from_millis(2));
    assert_eq!(config.queue.partitions, 2);
    assert_eq!(config.worker.batch_rows, 1500);
    assert_eq!(config.push.ack_deadline, Duration::from_secs(10));
    assert_eq!(config.drain.window, Duration::from_secs(20));
    assert!(config.auth.auto_provision && !config.auth.accounts);
    assert!(config.auth.hs256_secret.is_none() && config.postgres.url.is_none());
}

#[test]
fn later_sources_win_over_earlier_ones() {
    let (_folder, path) = file(
        "[gateway]\nheartbeat = \"11s\"\nhello_timeout = \"2s\"\n[auth]\naccounts = false\n\
         [push]\nburst = 6\n[queue]\npartitions = 3\n",
    );
    let sources = Sources {
        command: Some((
            "tidings dev",
            vec![("auth.accounts", "true".to_owned()), ("auth.session_ttl", "2d".to_owned())],
        )),
        file: Some(path.clone()),
        flags: vec![("--partitions", "queue.partitions", "5".to_owned())],
        ..environment(&[("TIDINGS__GATEWAY__HEARTBEAT", "12s"), ("TIDINGS__QUEUE__PARTITIONS", "4")])
    };
    let loaded = load(&sources).unwrap();
    assert_eq!(loaded.config.auth.session_ttl, Duration::from_secs(2 * 86_400));
    assert!(!loaded.config.auth.accounts);
    assert_eq!(loaded.config.gateway.hello_timeout, Duration::from_secs(2));
    assert_eq!(loaded.config.gateway.heartbeat, Duration::from_secs(12));
    assert_eq!(loaded.config.queue.partitions, 5);
    assert_eq!(loaded.origins["auth.session_ttl"], Origin::Command("tidings dev"));
    assert_eq!(loaded.origins["push.burst"], Origin::File(path));
    let variable = Origin::Environment("TIDINGS__GATEWAY__HEARTBEAT".to_owned());
    assert_eq!(loaded.origins["gateway.heartbeat"], variable);
    assert_eq!(loaded.origins["queue.partitions"], Origin::Flag("--partitions"));
}

#[test]
fn variables_that_are_not_ours_are_ignored() {
    let sources = environment(&[
        ("TIDINGS_PORT", "tcp://10.0.0.1:80"),
        ("TIDINGS_SERVICE_HOST", "10.0.0.1"),
        ("tidings__server__listen", "nonsense"),
        ("PATH", "/bin"),
    ]);
    assert!(load(&sources).unwrap().origins.is_empty());
}

#[test]
fn lists_in_the_environment_are_comma_separated() {
    let sources = environment(&[
        ("TIDINGS__AUTH__SERVER_KEYS", "one, two,"),
        ("TIDINGS__SERVER__ALLOWED_ORIGINS", "https://a.example,http://localhost:3000"),
        ("TIDINGS__SERVER__TRUSTED_PROXIES", "10.0.0.0/8"),
    ]);
    let config = load(&sources).unwrap().config;
    let keys: Vec<_> = config.auth.server_keys.iter().map(Secret::expose).collect();
    assert_eq!(keys, ["one", "two"]);
    assert_eq!(config.server.allowed_origins.len(), 2);
    assert!(config.server.trusted_proxies[0].contains("10.9.8.7".parse().unwrap()));
}

#[test]
fn an_unknown_key_names_where_it_was_said_and_the_nearest_one() {
    let (_folder, path) = file("[sever]\nlisten = \"127.0.0.1:1\"\n[gateway]\nheart_beat = \"1s\"\n");
    let sources = Sources {
        file: Some(path.clone()),
        ..environment(&[("TIDINGS__POSTGRES__URI", "postgres://x"), ("TIDINGS__XYZZY", "1")])
    };
    let text = refused(&sources);
    let path = path.display();
    for part in [
        "4 problems".to_owned(),
        format!("unknown key sever.listen ({path}); did you mean server.listen?"),
        format!("unknown key gateway.heart_beat ({path}); did you mean gateway.heartbeat?"),
        "unknown key TIDINGS__POSTGRES__URI (environment TIDINGS__POSTGRES__URI); did you mean \
         TIDINGS__POSTGRES__URL?"
            .to_owned(),
        "unknown key TIDINGS__XYZZY (".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}\n{text}");
    }
}

#[test]
fn a_bad_value_names_key_value_place_and_what_is_expected() {
    let sources = environment(&[
        ("TIDINGS__GATEWAY__HEARTBEAT", "1.5s"),
        ("TIDINGS__GATEWAY__OUTBOX_BYTES", "1 MB"),
        ("TIDINGS__SERVER__LISTEN", "localhost"),
        ("TIDINGS__QUEUE__PARTITIONS", "many"),
        ("TIDINGS__AUTH__ACCOUNTS", "perhaps"),
        ("TIDINGS__LOG__FORMAT", "xml"),
        ("TIDINGS__SERVER__TRUSTED_PROXIES", "10.0.0.0/99"),
    ]);
    let text = refused(&sources);
    for part in [
        "gateway.heartbeat = \"1.5s\" (environment TIDINGS__GATEWAY__HEARTBEAT): expected a duration such as 500ms",
        "gateway.outbox_bytes = \"1 MB\" (environment TIDINGS__GATEWAY__OUTBOX_BYTES): expected a size such as 512",
        "server.listen = \"localhost\" (environment TIDINGS__SERVER__LISTEN): expected an address and a port",
        "queue.partitions = \"many\" (environment TIDINGS__QUEUE__PARTITIONS): expected",
        "auth.accounts = \"perhaps\" (environment TIDINGS__AUTH__ACCOUNTS): expected a boolean",
        "log.format = \"xml\" (environment TIDINGS__LOG__FORMAT): ",
        "server.trusted_proxies = [\"10.0.0.0/99\"] (",
        "expected an address or network such as",
        "7 problems",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    for variant in ["auto", "text", "json"] {
        assert!(text.contains(variant), "{text}");
    }
}

#[test]
fn values_of_a_wrong_type_in_a_file_are_refused() {
    let (_folder, path) = file("[queue]\npartitions = -1\n[auth]\nserver_keys = \"one\"\n");
    let text = refused(&Sources { file: Some(path), ..Sources::default() });
    assert!(text.contains("queue.partitions = -1 ("), "{text}");
    assert!(text.contains("auth.server_keys = *** ("), "{text}");
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_refused() {
    let (folder, path) = file("listen = [");
    let text = refused(&Sources { file: Some(path), ..Sources::default() });
    assert!(text.contains("is not TOML"), "{text}");
    let missing = folder.path().join("missing.toml");
    let text = refused(&Sources { file: Some(missing), ..Sources::default() });
    assert!(text.contains("cannot read") && text.contains("missing.toml"), "{text}");
}

#[test]
fn a_file_that_is_no_toml_does_not_leak_the_line_that_is_wrong() {
    for line in ["hs256_secret = \"hunter2", "hs256_secret = hunter2", "hs256_secret hunter2"] {
        let (_folder, path) = file(&format!("[auth]\n{line}\n"));
        let text = refused(&Sources { file: Some(path), ..Sources::default() });
        assert!(text.contains("line 2") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_secret_is_read_from_the_file_that_its_twin_names() {
    let (folder, _) = file("");
    let secret = folder.path().join("secret");
    fs::write(&secret, "hunter2hunter2hunter2hunter2hunter2\n").unwrap();
    let keys = folder.path().join("keys");
    fs::write(&keys, "one\ntwo\r\n").unwrap();
    let config = folder.path().join("c.toml");
    fs::write(&config, format!("[auth]\nserver_keys_file = {keys:?}\n")).unwrap();
    let name = "TIDINGS__AUTH__HS256_SECRET_FILE";
    let sources = Sources { file: Some(config), ..environment(&[(name, secret.to_str().unwrap())]) };
    let loaded = load(&sources).unwrap();
    let read = loaded.config.auth.hs256_secret.unwrap();
    assert_eq!(read.expose(), "hunter2hunter2hunter2hunter2hunter2");
    assert_eq!(loaded.origins["auth.hs256_secret"], Origin::Environment(name.to_owned()));
    let keys: Vec<_> = loaded.config.auth.server_keys.iter().map(Secret::expose).collect();
    assert_eq!(keys, ["one", "two"]);
}

#[test]
fn a_secret_and_its_twin_together_are_refused_also_across_sources() {
    let (folder, path) = file("[postgres]\nurl = \"postgres://db/a\"\n");
    let secret = folder.path().join("url");
    fs::write(&secret, "postgres://db/b").unwrap();
    let secret = secret.to_str().unwrap();
    let together = environment(&[
        ("TIDINGS__POSTGRES__URL", "postgres://db/a"),
        ("TIDINGS__POSTGRES__URL_FILE", secret),
    ]);
    let text = refused(&together);
    assert!(text.contains("postgres.url is given twice"), "{text}");
    assert!(text.contains("environment TIDINGS__POSTGRES__URL_FILE"), "{text}");
    let across = Sources { file: Some(path), ..environment(&[("TIDINGS__POSTGRES__URL_FILE", secret)]) };
    assert!(refused(&across).contains("postgres.url is given twice"));
}

#[test]
fn a_twin_that_cannot_be_read_is_refused() {
    let text = refused(&environment(&[("TIDINGS__REDIS__URL_FILE", "/nowhere/at/all")]));
    assert!(text.contains("redis.url_file") && text.contains("/nowhere/at/all"), "{text}");
}

#[test]
fn a_bad_secret_is_not_printed() {
    let text = refused(&environment(&[("TIDINGS__POSTGRES__URL", "mysql://a:hunter2@db")]));
    assert!(text.contains("postgres.url") && !text.contains("hunter2"), "{text}");
}

#[test]
fn rules_between_keys_are_checked_and_reported_together() {
    let sources = environment(&[
        ("TIDINGS__SERVER__TLS_KEY_FILE", "/dev/null"),
        ("TIDINGS__QUEUE__PARTITIONS", "257"),
        ("TIDINGS__GATEWAY__HELLO_TIMEOUT", "30s"),
        ("TIDINGS__GATEWAY__MAX_TEXT_BYTES", "60KiB"),
        ("TIDINGS__SERVER__ALLOWED_ORIGINS", "chat.example.com"),
        ("TIDINGS__REDIS__LEASE_INTERVAL", "10s"),
        ("TIDINGS__AUTH__JWKS_URL", "http://idp.example/keys"),
        ("TIDINGS__PUSH__BODY", "{txt}"),
    ]);
    let text = refused(&sources);
    for part in [
        "8 problems",
        "server.tls_key_file is set but server.tls_cert_file is not",
        "queue.partitions must be 1 to 256, not 257",
        "gateway.hello_timeout (30s) must be less than gateway.heartbeat (25s)",
        "must fit into gateway.max_frame_bytes",
        "\"chat.example.com\" is no origin",
        "redis.lease_interval (10s) must be less than redis.lease_ttl (10s)",
        "auth.jwks_url must begin with https://",
        "push.body: \"{txt}\"",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_short_secret_works_with_a_warning() {
    let loaded = load(&environment(&[("TIDINGS__AUTH__HS256_SECRET", "short")])).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].contains("auth.hs256_secret") && !loaded.warnings[0].contains("short\""));
}

#[test]
fn roles_say_how_to_set_the_services_that_they_miss() {
    let config = load(&environment(&[("TIDINGS__REDIS__URL", "redis://cache")])).unwrap().config;
    let text = config.services().unwrap_err().to_string();
    assert!(text.contains("2 problems") && text.contains("TIDINGS__RABBITMQ__URL"), "{text}");
    assert!(text.contains("TIDINGS__POSTGRES__URL_FILE") && !text.contains("REDIS"), "{text}");
    assert!(config.postgres_url().is_err());
}
