use prometheus::{Histogram, IntGauge, IntGaugeVec};

use super::{
    By, Dependency, LATENCY, PoolState, Role,
    family::{Metric, Spec, theme},
};

theme! {
    /// What every role counts of what it needs.
    pub struct Dependencies {
        /// 1 while the dependency answers.
        dependency_up: By<Dependency, IntGauge>,
        /// Time to get a connection to the database.
        db_pool_acquire_seconds: Histogram = LATENCY,
        /// Connections to the database.
        db_pool_connections: By<PoolState, IntGauge>,
        /// Always 1; the labels say what runs here.
        build_info: BuildInfo,
    }
}

/// The only metric whose labels are known when it is built and not before.
#[derive(Debug)]
pub struct BuildInfo(IntGaugeVec);

impl Metric for BuildInfo {
    fn create(spec: Spec<'_>) -> Self {
        Self(spec.family_of_gauges(&["version", "revision", "role"]))
    }
}

impl Dependencies {
    pub(super) fn show_build(&self, role: Role) {
        let labels = [env!("CARGO_PKG_VERSION"), revision(), role.name()];
        self.build_info.0.with_label_values(&labels).set(1);
    }
}

/// The commit that this was built from, when the build says so.
pub fn revision() -> &'static str {
    option_env!("TIDINGS_REVISION").unwrap_or("unknown")
}
