use crate::push::provider::{HttpSettings, Source};

/// How to reach Firebase, and for which projects.
#[derive(Debug, Clone)]
pub struct Settings {
    pub projects: Vec<Project>,
    /// Takes the place of Google's host for messages. Access tokens come from the `token_uri`
    /// of the service account.
    pub base_url: Option<String>,
    pub http: HttpSettings,
}

/// One Firebase project and the apps whose devices it serves.
#[derive(Debug, Clone)]
pub struct Project {
    /// Empty: every app that no other project names.
    pub app_ids: Vec<String>,
    /// The JSON file of a service account that may send messages.
    pub service_account: Source,
    /// `None`: the service account's own.
    pub project_id: Option<String>,
    /// Send title and text as data, so that the app itself shows them. Android runs an app's code
    /// for a message in the background only then, which it needs to acknowledge.
    pub data_only: bool,
}

impl Settings {
    /// One project for every app.
    pub fn new(service_account: Source) -> Self {
        let project = Project { app_ids: Vec::new(), service_account, project_id: None, data_only: false };
        Self { projects: vec![project], base_url: None, http: HttpSettings::default() }
    }
}
