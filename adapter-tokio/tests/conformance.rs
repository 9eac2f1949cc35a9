//! The behaviour suite of every adapter, over tokio.

httpants_testkit::conformance_suite!(httpants_testkit::conformance::Sockets<httpants_tokio::Tokio>, linux);
