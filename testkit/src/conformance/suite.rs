//! The list of all cases.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Maximum total time of a case.
const MAX_DURATION: Duration = Duration::from_secs(60);

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
    let hangs = ended.recv_timeout(MAX_DURATION) == Err(RecvTimeoutError::Timeout);
    assert!(!hangs, "{name} did not end within {MAX_DURATION:?}: the runtime or its server hangs");
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
                tasks::worker_runs_its_tasks_on_its_own_thread
            }
        }
    };
    (@workers $stage:ty) => {
        $crate::conformance_suite!(@worker $stage);
        $crate::conformance_cases! { $stage:
            mod workers {
                listening::each_worker_serves_on_its_own_thread
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
                peers::peer_closed_is_pending_while_the_client_is_connected
                peers::end_of_stream_after_unread_bytes_wakes
                peers::end_of_stream_before_the_first_poll_is_reported
                peers::reset_after_unread_bytes_is_an_error
                peers::handler_is_notified_of_the_end_after_unread_bytes
                peers::reset_after_unread_bytes_drops_the_handler
                peers::closed_clients_with_unread_bytes_are_dropped_in_time
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
                linux::file_is_sent_from_the_given_offset_to_its_end
                linux::file_offsets_over_31_bits_are_supported
                linux::sending_a_file_waits_for_a_slow_reader
                linux::unsupported_file_is_declined
                linux::head_with_more_hint_is_sent_together_with_its_body
            }
        }
    };
    ($stage:ty, one pool) => {
        $crate::conformance_suite!($stage, without sockets, one pool);
        $crate::conformance_cases! { $stage:
            mod platform {
                platform::accepted_connection_has_both_addresses
                #[cfg(unix)] platform::unix_sockets_have_no_ip_address
                platform::blocking_work_runs_on_another_thread
                platform::blocking_pool_does_not_panic_outside_the_runtime
                platform::waker_works_from_another_thread
                #[cfg(unix)] files::files_are_received_over_unix_sockets
                shutdown::draining_server_accepts_no_connections
                starvation::endless_empty_response_ends_with_its_client
                #[cfg(unix)] listening::several_addresses_are_served
                listening::one_port_serves_ipv4_and_ipv6
                #[cfg(unix)] limits::unix_clients_have_no_address_limit
            }
        }
    };
    ($stage:ty, without sockets, one pool) => {
        $crate::conformance_cases! { $stage:
            mod contract {
                contract::recv_returns_bytes_and_0_at_the_end_of_the_stream
                contract::bytes_after_a_short_read_wake_the_reader
                contract::end_arriving_with_the_last_bytes_wakes_the_reader
                contract::slices_are_sent_in_order_and_shutdown_ends_the_stream
                contract::sending_waits_for_a_slow_reader
                contract::read_wakes_the_waker_of_its_last_poll
                contract::send_wakes_the_waker_of_its_last_poll
                contract::task_that_reads_and_sends_is_woken_by_either
                contract::reset_by_the_peer_is_an_error
                contract::dropped_transport_closes_the_connection
                contract::reset_on_close_resets_the_connection
                contract::connections_are_accepted_one_by_one
            }
            mod time {
                time::clock_is_monotonic_and_wall_time_is_current
                time::timer_elapses_at_its_time_and_can_be_reset
                time::past_timer_is_ready_and_unreachable_one_never
                time::timer_wakes_the_waker_of_its_last_poll
                time::timers_of_one_task_elapse_at_their_times
            }
            mod tasks {
                tasks::tasks_can_spawn_tasks
                tasks::task_that_wakes_itself_does_not_block_others
                tasks::blocking_work_returns_its_result_or_its_panic
                tasks::dropped_blocking_work_drops_its_values
            }
            mod exchanges {
                exchanges::requests_on_one_connection_are_served_in_turn
                exchanges::pipelined_requests_are_served_in_order
                exchanges::request_in_single_bytes_is_the_same
                exchanges::head_response_has_no_body
                exchanges::http_1_0_closes_unless_keep_alive_is_requested
                exchanges::connection_close_of_the_client_closes
                exchanges::each_response_closes_if_keep_alive_is_off
                exchanges::requests_of_a_connection_can_be_limited
                exchanges::bad_request_after_a_good_one_is_refused
                exchanges::half_closed_client_still_gets_its_response
                exchanges::handler_return_values_become_responses
                exchanges::client_reset_drops_its_handler
                exchanges::handler_panic_is_only_a_500
                exchanges::panic_within_a_response_drops_the_connection
            }
            mod responder {
                responder::response_is_sent_by_single_calls
                responder::response_is_sent_in_one_call
                responder::calls_out_of_order_are_errors
                responder::responder_waits_for_a_slow_reader
                responder::interim_responses_arrive_before_the_response
                responder::send_cookies_sends_only_the_named_cookies
                responder::signed_cookies_are_valid_on_another_connection
                responder::request_time_starts_at_the_request
            }
            mod events {
                events::events_and_comments_are_received_at_once
                events::stream_of_a_closed_client_is_dropped
                events::shutdown_ends_event_streams
            }
            mod content {
                content::body_with_length_and_chunked_body_are_the_same
                content::large_body_is_echoed_byte_for_byte
                content::whole_body_can_be_read_from_any_storage
                content::body_is_streamed_in_both_directions_at_once
                content::slow_handler_makes_the_client_wait
                content::expect_100_gets_100_or_the_refusal
                content::too_large_body_is_refused_early
                content::request_can_have_its_own_body_limit
                content::forms_have_variables_and_files
                content::request_collections_iterate_in_order
                content::empty_parts_are_kept_and_have_their_headers
                content::uploaded_file_is_persisted_at_the_given_path
                #[cfg(unix)] content::uploaded_file_is_persisted_with_the_given_mode
                content::aborted_upload_leaves_no_file_or_descriptor
            }
            mod files {
                files::files_and_ranges_are_received_whole_and_in_order
                files::file_has_metadata_and_conditions_are_evaluated
                files::stalled_reader_of_a_file_does_not_block_others
                files::truncated_file_ends_the_connection
                files::file_is_sent_with_a_unicode_filename
                files::x_sendfile_leaves_the_file_to_the_proxy
                files::opened_file_is_sent
                site::site_has_routes_a_fallback_and_a_404_page
                site::found_file_is_sent_even_if_replaced
                site::root_has_settings_and_inline_files_have_names
            }
            mod errors {
                errors::errors_of_the_server_have_the_page_of_the_application
                errors::invalid_page_falls_back_to_the_default
                errors::head_gets_the_fields_of_the_page
            }
            mod disconnect {
                disconnect::half_closed_client_is_served
                disconnect::half_closed_client_gets_503_after_the_timeout
                disconnect::closed_clients_are_dropped_in_time
            }
            mod starvation {
                starvation::endless_empty_response_does_not_block_others
                starvation::head_of_an_endless_stream_gets_a_response
            }
            mod upgrades {
                upgrades::upgrade_passes_on_bytes_already_read
                upgrades::tunnel_gets_the_raw_stream
                upgrades::upgrade_that_was_not_offered_is_a_500
                upgrades::upgraded_stream_continues_after_shutdown
                upgrades::upgraded_stream_is_notified_of_the_shutdown
                upgrades::upgraded_stream_is_dropped_after_upgrade_grace
            }
            mod timers {
                timers::silent_client_is_disconnected
                timers::slow_head_is_a_408
                timers::idle_connection_is_closed
                timers::slow_body_is_a_408
                timers::client_that_does_not_read_is_dropped
                timers::client_that_stays_after_a_refusal_is_closed
                timers::client_that_closes_after_a_refusal_is_closed_at_once
                timers::slow_handler_is_a_503
                timers::body_that_keeps_arriving_does_not_time_out
            }
            mod shutdown {
                shutdown::idle_connections_are_closed_at_once
                shutdown::running_request_is_finished_with_connection_close
                shutdown::partially_received_request_still_gets_a_response
                shutdown::pending_request_is_served_during_shutdown
                shutdown::delayed_shutdown_begins_after_its_delay
                shutdown::server_serves_until_the_delay_ends_or_shutdown
                shutdown::request_is_dropped_at_the_end_of_the_grace
                shutdown::close_drops_open_connections
                shutdown::handler_may_shut_down_the_server
                shutdown::response_can_end_when_a_shutdown_begins
            }
            mod listening {
                listening::connections_over_the_maximum_wait
                listening::lingering_connections_make_room
                listening::two_hundred_clients_are_served_at_once
                listening::successive_connections_leave_nothing_behind
                listening::proxy_header_tlvs_reach_the_handler
            }
            mod limits {
                limits::connections_over_the_limit_of_an_address_get_503
                limits::full_server_refuses_if_when_full_is_set
                limits::old_connection_closes_after_its_response
                limits::request_has_its_own_limits
                limits::request_without_a_body_has_its_own_timeout
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
