//! The behaviour suite on tokio.

httpants_testkit::conformance_suite!(httpants_testkit::conformance::Sockets<httpants_tokio::Tokio>, linux);
