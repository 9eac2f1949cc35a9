//! The behaviour suite of every adapter, over tokio.

httpants_driver::conformance_suite!(httpants_driver::conformance::Sockets<httpants_tokio::Tokio>, linux);
