//! What phones show: the push stage against the fakes of the providers, on `tidings dev` and on the roles.

mod answers;
mod burst;
mod chaos;
mod clearing;
mod deaths;
mod deciding;
mod leaving;
mod rate;
mod repeats;
mod restarts;
pub mod scene;
mod seeing;
mod slow;
mod wishes;

use scene::Scene;

/// Stamps scenarios onto both kinds of world: each is an `async fn(&mut Scene)`.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_dev {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&mut $crate::push::Scene::dev(&[]).await).await;
            })+
        }
        mod on_roles {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&mut $crate::push::Scene::roles(&[]).await).await;
            })+
        }
    };
}

use on_both;
