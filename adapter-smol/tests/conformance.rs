//! The behaviour suite of every adapter, over smol.

httpants_testkit::conformance_suite!(httpants_testkit::conformance::Sockets<httpants_smol::Smol>, linux);
