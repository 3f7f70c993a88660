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
