use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Problems, Secret, values};

/// `[fcm]`: Firebase Cloud Messaging, HTTP v1.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fcm {
    #[serde(with = "values::optional")]
    pub base_url: Option<String>,
    #[serde(with = "values::optional")]
    pub service_account_file: Option<PathBuf>,
    #[serde(with = "values::optional")]
    pub project: Option<String>,
    /// `app_id=FILE`, see [`Fcm::more_projects`].
    pub projects: Vec<String>,
    pub data_only: bool,
    #[serde(with = "values::optional")]
    pub ca_file: Option<PathBuf>,
    #[serde(with = "values::optional")]
    pub proxy: Option<Secret>,
}

impl Fcm {
    /// Whether pushes go to Google.
    pub fn is_configured(&self) -> bool {
        self.service_account_file.is_some() || !self.projects.is_empty()
    }

    /// The apps with projects of their own, and the service accounts of these.
    pub fn more_projects(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.projects.iter().filter_map(|project| {
            let (app_id, file) = project.split_once('=')?;
            Some((app_id.trim(), Path::new(file.trim())))
        })
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        problems.http_url("fcm.base_url", self.base_url.as_deref());
        problems.scheme("fcm.proxy", self.proxy.as_ref(), &["http", "https"]);
        problems.file("fcm.service_account_file", self.service_account_file.as_deref());
        for project in self.projects.iter().filter(|project| !project.contains('=')) {
            problems.rule(format!("fcm.projects: {project} is not of the form app_id=FILE"));
        }
        for (_, file) in self.more_projects() {
            problems.file("fcm.projects", Some(file));
        }
        problems.file("fcm.ca_file", self.ca_file.as_deref());
    }
}
