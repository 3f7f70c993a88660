//! The contract of the store. A test is an async function that takes a [`Fixture`]; one that is not in the list
//! below is dead code and does not compile. `contract!` stamps all of them onto a backend, which gives a fixture each.
//!
//! Tests name their users through the fixture, so a backend may give several of them the same database.

mod append;
mod concurrency;
mod conversations;
mod cursors;
mod devices;
mod direct;
mod edits;
mod fixture;
mod groups;
mod history;
mod members;
mod postgres;
mod pushes;
mod reactions;
mod relations;
mod repeats;
mod retention;
mod sqlite;
mod users;

pub use fixture::Fixture;

/// `contract!(open)` in a backend's file: `open` is an async function that makes a [`Fixture`].
macro_rules! contract {
    ($open:path) => {
        $crate::contract::store::contract! { @tests $open;
            users {
                a_known_user_is_admitted_and_an_unknown_one_only_made_on_request
                a_deactivated_user_is_denied_until_provisioned_again
                a_token_older_than_the_revocation_is_denied
                an_account_is_made_once_and_takes_nobody_over
                a_deactivated_account_has_no_password_to_sign_in_with
                a_sign_in_admits_until_it_ends
                deactivating_ends_the_sign_ins
                a_profile_changes_field_by_field
                erasing_removes_the_person_and_their_texts
                erasing_reaches_texts_in_conversations_that_the_person_left
            }
            relations {
                a_relation_is_added_listed_and_removed
                presence_is_visible_to_contacts_and_to_those_who_share_a_conversation
                erasing_a_user_removes_their_relations
            }
            devices {
                a_device_registers_and_is_listed
                a_device_of_an_unknown_user_is_not_registered
                a_token_belongs_to_the_last_who_registered_it
                a_device_is_removed_by_its_user
                a_dead_token_is_marked_unless_registered_anew_since
                signing_out_unbinds_the_devices_of_that_sign_in
                a_revoked_or_deactivated_user_has_no_device_of_before
                erasing_a_user_removes_their_devices
            }
            pushes {
                members_with_a_device_can_be_reached
                only_those_asked_for_come_and_in_the_order_of_the_conversations
                who_left_signed_out_or_is_deactivated_is_not_reached
                a_dead_or_misfit_device_is_not_reached_until_registered_anew
                a_recipient_comes_with_positions_and_wishes
                how_far_each_has_read_is_known_also_where_sending_moved_it
                in_a_large_room_only_mentions_ring_and_few_have_a_device
                whom_a_recipient_blocked_is_known_also_after_they_left
                entries_come_as_they_stand_now
                wishes_for_all_phones_are_kept_and_cleared
                the_last_word_about_a_push_stands
                a_provider_may_answer_with_any_character
                old_traces_go_the_oldest_first
            }
            direct {
                the_first_message_makes_users_conversation_and_members
                nobody_unknown_is_made_without_leave
                a_conversation_that_is_not_there_is_made_only_on_request
                making_it_by_hand_finds_what_is_there
                a_third_user_finds_nothing_to_write_to
                whom_the_other_blocked_may_not_write_until_unblocked
                a_block_from_before_the_conversation_counts
                with_a_deactivated_user_nobody_writes
                its_members_and_title_do_not_change
            }
            groups {
                a_group_is_made_with_its_members_and_no_entry
                a_group_with_an_unknown_user_is_not_made_without_leave
                a_retry_finds_the_group_that_the_first_request_made
                groups_of_a_user_are_listed_without_direct_conversations
                views_come_in_the_order_asked_and_none_for_what_is_not_there
                a_member_wishes_what_rings
                above_a_hundred_members_only_mentions_ring_by_default
            }
            conversations {
                they_are_listed_by_rising_id_page_by_page
                pages_of_many_users_come_in_the_order_asked
                groups_of_a_page_may_come_without_members_which_are_asked_for_once
                a_conversation_differs_from_member_to_member
                members_are_listed_by_rising_id_with_their_profiles
            }
            append {
                seqs_are_given_in_the_order_of_arrival_without_gaps
                one_refused_entry_takes_no_seq_and_no_other_along
                an_empty_batch_is_fine
                what_was_sent_comes_back_as_it_was
                an_entry_with_only_data_has_no_text
                a_text_that_can_never_be_stored_refuses_the_whole_batch
                only_owner_and_admins_write_in_a_channel
                a_deactivated_member_of_a_group_may_not_write
                sending_reads_what_came_before
            }
            repeats {
                a_repeated_entry_comes_back_with_its_seq_and_is_stored_once
                a_repetition_within_a_batch_is_found
                a_whole_batch_again_changes_nothing
                the_same_client_id_elsewhere_or_of_another_is_another_entry
                a_sender_who_may_write_no_more_hears_of_what_was_stored
                effects_are_taken_once
                an_entry_is_found_by_what_its_sender_called_it
            }
            edits {
                an_edit_changes_its_target_and_is_an_entry_itself
                only_the_sender_edits
                in_a_channel_only_those_who_write_edit
                only_a_text_that_is_there_is_edited_or_deleted
                a_delete_blanks_its_target_and_every_edit_of_it
                others_messages_are_deleted_by_owner_and_admins_of_a_group_alone
                a_newcomer_cannot_aim_at_what_they_cannot_see
                entries_of_one_batch_see_each_other
            }
            reactions {
                any_member_reacts_also_in_a_channel
                a_history_sums_them_up_the_earliest_first
                many_are_counted_and_twenty_named
                the_same_reaction_twice_counts_once_and_taking_back_none_changes_nothing
                only_a_text_that_is_there_is_reacted_to
            }
            members {
                newcomers_see_history_from_their_joining_on
                who_is_a_member_already_is_left_out
                strangers_join_only_where_they_may_be_made
                only_owner_and_admins_add_and_remove_and_name
                a_title_changes_by_an_entry
                anyone_leaves_and_sees_nothing_any_more
                who_returns_starts_anew
                nobody_to_remove_is_a_conflict
                an_admin_may_not_touch_the_owner
                the_owner_hands_the_group_on
                when_the_owner_leaves_the_oldest_admin_follows
                a_deactivated_admin_changes_nothing
            }
            history {
                pages_ascend_and_say_whether_there_is_more
                who_is_no_member_reads_nothing
                a_newcomer_reads_nothing_from_before
                spans_are_the_oldest_of_their_range_in_the_order_asked
                a_target_is_judged_with_the_role_of_who_asks
                what_was_written_is_read_at_once
                a_store_that_stands_answers_a_ping
            }
            cursors {
                what_was_seen_moves_on_its_own_and_nobody_is_told
                positions_move_forward_within_the_log_and_never_back
                who_sent_has_read_and_moves_only_beyond
                many_positions_move_at_once
                unread_counts_texts_alone_and_the_badge_sums_it_up
            }
            retention {
                old_entries_go_and_history_begins_later
            }
            concurrency {
                two_writers_to_the_same_conversations_leave_no_gap_and_no_deadlock
                the_same_batches_from_two_writers_are_stored_once
                two_people_who_write_to_each_other_at_once_share_one_conversation
                a_group_requested_twice_at_once_is_made_once
            }
        }
    };
    (@tests $open:path; $($file:ident { $($test:ident)* })*) => {$(
        mod $file {
            $(
                #[tokio::test]
                async fn $test() {
                    let fixture = $open().await;
                    $crate::contract::store::$file::$test(&fixture).await;
                }
            )*
        }
    )*};
}
use contract;
