use super::{Loaded, document::sections};

impl Loaded {
    /// What is in force, as TOML: secrets masked, and where each value that is not the default
    /// was said.
    pub fn to_toml(&self) -> String {
        let values = toml::Value::try_from(&self.config)
            .expect("every setting has a form in TOML, see the test of print");
        let mut page = String::new();
        for section in sections() {
            if !page.is_empty() {
                page.push('\n');
            }
            page.push_str(&format!("[{}]\n", section.name));
            for key in section.keys {
                let value = &values[section.name.as_str()][key.name.as_str()];
                page.push_str(&format!("{} = {value}", key.name));
                if let Some(origin) = self.origins.get(&format!("{}.{}", section.name, key.name)) {
                    page.push_str(&format!("  # {origin}"));
                }
                page.push('\n');
            }
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{
        Sources, layers, load,
        tests::{environment, file},
    };

    #[test]
    fn what_is_printed_masks_every_secret_and_says_where_a_value_came_from() {
        let names: Vec<_> = layers::SECRETS.iter().map(|key| layers::variable(key)).collect();
        let value = |key: &str| match key {
            "postgres.url" => "postgres://app:hunter2@db/chat",
            "rabbitmq.url" => "amqp://app:hunter2@mq",
            "redis.url" => "redis://:hunter2@cache",
            key if key.ends_with("proxy") => "http://app:hunter2@proxy:3128",
            _ => "hunter2",
        };
        let mut pairs: Vec<_> =
            names.iter().zip(layers::SECRETS).map(|(name, key)| (name.as_str(), value(key))).collect();
        pairs.push(("TIDINGS__WEBPUSH__SUBJECT", "mailto:ops@example.com"));
        pairs.push(("TIDINGS__GATEWAY__HEARTBEAT", "90s"));
        let loaded = load(&environment(&pairs)).unwrap();
        let printed = loaded.to_toml();
        assert!(!printed.contains("hunter2") && !format!("{:?}", loaded.config).contains("hunter2"));
        for line in [
            "url = \"postgres://app:***@db/chat\"  # environment TIDINGS__POSTGRES__URL\n",
            "hs256_secret = \"***\"  # environment TIDINGS__AUTH__HS256_SECRET\n",
            "server_keys = [\"***\"]  # environment",
            "heartbeat = \"1m30s\"  # environment TIDINGS__GATEWAY__HEARTBEAT\n",
            "listen = \"127.0.0.1:8080\"\n",
            "outbox_bytes = \"1MiB\"\n",
        ] {
            assert!(printed.contains(line), "{line}\n{printed}");
        }
        // Every key of type Secret is in the list that gives it a twin.
        assert_eq!(printed.matches("***").count(), layers::SECRETS.len());
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let sources = environment(&[("TIDINGS__INGRESS__LINGER", "1ms"), ("TIDINGS__SERVER__PAGE", "no")]);
        let loaded = load(&sources).unwrap();
        let printed = loaded.to_toml();
        let (_folder, path) = file(&printed);
        let again = load(&Sources { file: Some(path), ..Sources::default() }).unwrap();
        assert_eq!(format!("{:?}", again.config), format!("{:?}", loaded.config));
    }
}
