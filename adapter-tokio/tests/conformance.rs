//! The behaviour suite on tokio.

httpants_driver::conformance_suite!(httpants_driver::conformance::Sockets<httpants_tokio::Tokio>, linux);
