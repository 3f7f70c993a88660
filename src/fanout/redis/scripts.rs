//! The Lua that runs in Redis: what must happen at once, or by its clock.

use std::sync::LazyLock;

use fred::types::scripts::Script;

use super::{acknowledged, lease, leases, routes, screens, sweep};

/// Every script, for loading.
pub(super) fn all() -> [&'static Script; 9] {
    [
        &lease::TAKE,
        &lease::RENEW,
        &lease::RELEASE,
        &lease::LIVING,
        &leases::HOLD,
        &routes::CHANGE,
        &acknowledged::NOTE,
        &sweep::SWEEP,
        &screens::SWAP,
    ]
    .map(|script: &'static LazyLock<Script>| &**script)
}

/// A script that begins with `now`, the milliseconds of Redis's clock: the clocks of gateways and workers differ.
pub(super) fn timed(body: &str) -> Script {
    const NOW: &str =
        "local time = redis.call('TIME')\nlocal now = time[1] * 1000 + math.floor(time[2] / 1000)\n";
    Script::from_lua(format!("{NOW}{body}"))
}
