//! The contract of the queue. A test is an async function that takes a [`Fixture`]; one that is not in the list below is dead
//! code and does not compile. `contract!` stamps all of them onto a backend, which gives a fixture each.
//!
//! A publish may take until its batch is acknowledged, as the embedded queue's does: tests publish in the background.

mod consumers;
mod dead;
mod embedded;
mod fixture;
mod limits;
mod order;
mod push;
mod rabbitmq;

pub use fixture::Fixture;

/// `contract!(open)` in a backend's file: `open` is an async function that makes a [`Fixture`].
macro_rules! contract {
    ($open:path) => {
        $crate::contract::queue::contract! { @tests $open;
            order {
                a_batch_arrives_as_it_was_published
                a_partition_keeps_its_order
                partitions_do_not_see_each_other
                receive_takes_what_is_there_up_to_about_the_rows_asked
                a_receive_that_is_given_up_takes_nothing_away
            }
            consumers {
                what_a_dropped_consumer_left_comes_again_in_order_and_before_what_is_later
                what_a_closed_consumer_left_comes_again_in_order_and_before_what_is_later
                what_was_acknowledged_does_not_come_again
                an_acknowledgement_covers_all_before_it_and_nothing_after
                a_second_consumer_waits_until_the_first_is_gone
                a_publish_is_confirmed
            }
            limits {
                a_full_partition_refuses_and_takes_again_when_there_is_room
                depths_tell_what_waits
                depths_tell_what_a_consumer_holds
                a_queue_that_can_be_used_answers_a_ping
            }
            dead {
                what_is_buried_is_listed_with_its_reason_source_and_time
                listing_takes_nothing_away_and_keeps_the_order
                the_oldest_are_listed_up_to_the_limit
                all_that_is_buried_is_replayed_to_where_it_came_from
                one_is_replayed_and_the_others_are_left
                what_is_replayed_comes_once
            }
        }
    };
    (@tests $open:path; $($group:ident { $($test:ident)* })*) => {
        $(mod $group {
            $(
                #[tokio::test]
                async fn $test() {
                    let fixture = $open().await;
                    $crate::contract::queue::fixture::in_time($crate::contract::queue::$group::$test(fixture)).await;
                }
            )*
        })*
    };
}

use contract;
