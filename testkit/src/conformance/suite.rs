//! The list of all cases.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Maximum total time of a case.
const LONGEST: Duration = Duration::from_secs(60);

/// Runs a case on its own thread, so that one that hangs fails.
///
/// # Panics
/// Panics if the case does, or if it does not end within a minute.
pub fn perform(name: &str, case: fn()) {
    let (sender, ended) = channel::<()>();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Dropped at the end of the case, also if it panics.
        let _sender = sender;
        case();
    });
    let thread = thread.expect("a thread");
    let hangs = ended.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout);
    assert!(!hangs, "{name} did not end within {LONGEST:?}: the runtime or its server hangs");
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

/// Creates a `#[test]` for each case on a [`Stage`](crate::conformance::Stage); see
/// [`conformance`](crate::conformance).
///
/// ```
/// use httpants_testkit::conformance::InMemory;
///
/// httpants_testkit::conformance_suite!(InMemory, without sockets);
/// ```
///
/// Options after the stage:
///
/// | option | effect |
/// |---|---|
/// | `linux` | adds the cases of `sendfile(2)`, `MSG_MORE` and [`poll_peer_closed`](httpants_driver::runtime::Transport::poll_peer_closed) |
/// | `without sockets` | leaves out the cases of a [`Platform`](crate::conformance::Platform) |
/// | `one pool` | for runtimes whose workers share the threads that run their tasks; combines with the two above: `linux, one pool` |
/// | `peers only` | includes only the cases of `poll_peer_closed`, for transports that implement it without `linux` |
#[macro_export]
macro_rules! conformance_suite {
    (@worker $stage:ty) => {
        $crate::conformance_cases! { $stage:
            mod worker {
                tasks::a_worker_runs_its_tasks_on_its_own_thread
            }
        }
    };
    (@workers $stage:ty) => {
        $crate::conformance_suite!(@worker $stage);
        $crate::conformance_cases! { $stage:
            mod workers {
                listening::workers_serve_on_threads_of_their_own
            }
        }
    };
    ($stage:ty, linux) => {
        $crate::conformance_suite!($stage, linux, one pool);
        $crate::conformance_suite!(@workers $stage);
    };
    ($stage:ty) => {
        $crate::conformance_suite!($stage, one pool);
        $crate::conformance_suite!(@workers $stage);
    };
    ($stage:ty, without sockets) => {
        $crate::conformance_suite!($stage, without sockets, one pool);
        $crate::conformance_suite!(@worker $stage);
    };
    ($stage:ty, peers only) => {
        $crate::conformance_cases! { $stage:
            mod peers {
                peers::a_client_that_is_there_is_waited_for
                peers::the_end_behind_unread_bytes_is_noticed
                peers::an_end_before_the_first_poll_is_noticed
                peers::a_reset_behind_unread_bytes_is_an_error
                peers::a_handler_learns_of_the_end_behind_unread_bytes
                peers::a_reset_behind_unread_bytes_drops_the_handler
                peers::clients_that_left_unread_bytes_are_gone_in_time
            }
        }
    };
    ($stage:ty, linux, one pool) => {
        $crate::conformance_suite!($stage, one pool);
        #[cfg(target_os = "linux")]
        $crate::conformance_suite!($stage, peers only);
        #[cfg(target_os = "linux")]
        $crate::conformance_cases! { $stage:
            mod linux {
                linux::a_file_is_sent_from_where_it_is_asked_for_to_its_end
                linux::a_large_file_is_sent_from_far_behind
                linux::a_file_waits_for_a_slow_reader
                linux::what_is_no_file_to_send_from_is_left_to_the_driver
                linux::what_has_more_behind_it_leaves_together_with_it
            }
        }
    };
    ($stage:ty, one pool) => {
        $crate::conformance_suite!($stage, without sockets, one pool);
        $crate::conformance_cases! { $stage:
            mod platform {
                platform::an_accepted_connection_knows_both_ends
                #[cfg(unix)] platform::unix_sockets_have_no_internet_address
                platform::work_that_blocks_runs_elsewhere
                platform::the_pool_is_no_trap_outside_the_runtime
                platform::another_thread_wakes_a_task
                #[cfg(unix)] files::files_arrive_over_unix_sockets
                ending::no_more_connections_are_accepted
                starving::a_response_of_nothing_ends_with_its_client
                #[cfg(unix)] listening::several_addresses_are_served_at_once
                listening::both_families_are_served_by_one_port
                #[cfg(unix)] limits::connections_of_unix_sockets_have_no_limit
            }
        }
    };
    ($stage:ty, without sockets, one pool) => {
        $crate::conformance_cases! { $stage:
            mod contract {
                contract::bytes_come_in_and_the_end_of_the_stream_is_nothing_read
                contract::after_a_short_read_the_next_bytes_are_noticed
                contract::the_end_that_comes_with_the_last_bytes_is_noticed
                contract::slices_leave_in_order_and_shutdown_ends_the_stream
                contract::sending_waits_for_a_slow_reader
                contract::a_read_wakes_the_waker_of_its_last_poll
                contract::a_send_wakes_the_waker_of_its_last_poll
                contract::a_task_that_reads_and_sends_is_woken_by_either
                contract::a_reset_by_the_peer_is_an_error
                contract::a_dropped_transport_is_the_end
                contract::a_close_can_be_a_reset
                contract::connections_are_accepted_as_they_come
            }
            mod time {
                time::both_clocks_run
                time::a_timer_elapses_at_its_moment_and_can_be_set_again
                time::the_past_is_now_and_the_far_future_is_never
                time::a_timer_wakes_the_waker_of_its_last_poll
                time::the_timers_of_one_task_elapse_each_at_its_moment
            }
            mod tasks {
                tasks::tasks_spawn_tasks
                tasks::a_task_that_wakes_itself_blocks_no_others
                tasks::work_gives_its_result_and_its_panic_is_an_error
                tasks::work_that_is_not_waited_for_holds_nothing
            }
            mod exchanges {
                exchanges::requests_on_one_connection_are_served_in_turn
                exchanges::a_batch_of_requests_is_served_in_order
                exchanges::a_request_byte_by_byte_is_the_same_request
                exchanges::head_gets_no_content
                exchanges::the_older_version_closes_unless_asked_not_to
                exchanges::a_client_may_ask_for_the_close
                exchanges::without_keep_alive_each_response_closes
                exchanges::a_connection_may_serve_a_bounded_number_of_requests
                exchanges::a_bad_request_behind_a_good_one_is_refused
                exchanges::a_client_that_stops_sending_still_gets_its_response
                exchanges::whatever_becomes_a_response_is_one
                exchanges::a_client_that_resets_ends_its_handler
                exchanges::a_handler_that_panics_is_a_500_and_no_more
                exchanges::a_panic_within_a_response_drops_the_connection
            }
            mod responder {
                responder::a_response_is_sent_call_by_call
                responder::a_response_is_sent_in_one_call
                responder::calls_in_a_wrong_order_are_errors
                responder::a_slow_reader_makes_the_responder_wait
                responder::interim_responses_arrive_before_the_response
                responder::only_the_cookies_that_are_named_leave
                responder::signed_cookies_are_known_on_another_connection
                responder::time_counts_from_the_request
            }
            mod events {
                events::events_and_comments_arrive_as_they_are_made
                events::the_stream_of_a_client_that_left_is_dropped
                events::events_end_with_the_server
            }
            mod content {
                content::content_comes_by_its_length_and_in_chunks
                content::large_content_comes_back_byte_for_byte
                content::a_body_is_had_whole_wherever_it_is
                content::content_streams_in_both_directions_at_once
                content::a_slow_handler_makes_the_client_wait
                content::a_client_that_expects_100_gets_it_or_the_refusal
                content::content_that_is_too_large_is_refused_early
                content::a_request_can_have_a_limit_of_its_own
                content::forms_have_variables_and_files
                content::collections_of_a_request_are_iterated_in_order
                content::empty_parts_are_kept_and_have_their_headers
                content::an_uploaded_file_is_kept_where_the_application_says
                #[cfg(unix)] content::an_uploaded_file_is_kept_with_the_given_mode
                content::an_upload_that_breaks_off_leaves_nothing
            }
            mod files {
                files::files_and_ranges_arrive_whole_and_in_order
                files::a_file_has_its_fields_and_conditions_are_evaluated
                files::a_reader_that_stops_blocks_no_others
                files::a_file_that_becomes_shorter_ends_the_connection
                files::a_file_is_sent_by_a_call_under_a_name_in_any_script
                files::a_file_is_left_to_the_server_in_front
                files::an_opened_file_is_sent_as_it_is
                site::a_site_has_routes_a_fallback_and_a_page_for_404
                site::a_file_that_was_found_is_sent_though_it_is_replaced
                site::a_root_has_settings_and_a_displayed_file_a_name
            }
            mod errors {
                errors::errors_of_the_server_have_the_page_of_the_application
                errors::a_page_that_cannot_be_sent_leaves_the_default
                errors::head_gets_the_head_of_the_page
            }
            mod leaving {
                leaving::a_half_closed_client_is_served
                leaving::a_half_closed_client_is_a_503_in_time
                leaving::clients_that_left_are_gone_in_time
            }
            mod starving {
                starving::a_response_of_nothing_blocks_no_others
                starving::head_of_a_stream_without_end_gets_a_response
            }
            mod upgrades {
                upgrades::an_upgrade_hands_over_what_was_read
                upgrades::a_tunnel_is_the_raw_stream
                upgrades::an_upgrade_that_was_not_offered_is_a_500
                upgrades::an_upgraded_stream_outlasts_the_shutdown
                upgrades::an_upgraded_stream_learns_of_the_shutdown
                upgrades::an_upgraded_stream_that_goes_on_is_dropped
            }
            mod timers {
                timers::a_silent_client_is_let_go
                timers::a_slow_head_is_a_408
                timers::an_idle_connection_is_closed
                timers::a_slow_body_is_a_408
                timers::a_client_that_does_not_read_is_dropped
                timers::a_client_that_does_not_leave_is_left
                timers::a_client_that_leaves_behind_a_refusal_is_gone_at_once
                timers::a_slow_handler_is_a_503
                timers::content_that_keeps_coming_is_waited_for
            }
            mod ending {
                ending::idle_connections_are_closed_at_once
                ending::what_runs_is_finished_and_says_that_it_is_the_last
                ending::a_request_that_is_being_sent_still_gets_a_response
                ending::a_request_that_waits_for_a_handler_is_served
                ending::a_delayed_shutdown_begins_when_its_delay_is_over
                ending::a_server_serves_until_the_delay_is_over_or_shutdown_ends_it
                ending::the_grace_is_the_hard_end
                ending::close_drops_what_is_open
                ending::a_handler_may_end_the_server
                ending::a_response_may_end_when_a_shutdown_begins
            }
            mod listening {
                listening::connections_over_the_cap_wait
                listening::connections_that_linger_make_room
                listening::two_hundred_clients_are_served_at_once
                listening::connections_come_and_go
                listening::additions_of_a_proxy_reach_the_handler
            }
            mod limits {
                limits::connections_over_the_limit_of_an_address_get_503
                limits::a_full_server_refuses_where_it_is_to
                limits::an_old_connection_closes_after_its_response
                limits::a_request_has_limits_of_its_own
                limits::a_request_without_a_body_has_a_timeout_of_its_own
            }
        }
    };
}

/// Creates the tests of these cases.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($stage:ty: $(mod $group:ident { $($(#[$attribute:meta])* $module:ident::$case:ident)* })*) => {
        $(mod $group {
            #[allow(unused_imports, reason = "the stage may be named by its path")]
            use super::*;

            $(
                $(#[$attribute])*
                #[test]
                fn $case() {
                    $crate::conformance::perform(stringify!($case), $crate::conformance::cases::$module::$case::<$stage>);
                }
            )*
        })*
    };
}
