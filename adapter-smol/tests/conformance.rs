//! The behaviour suite on smol.

httpants_testkit::conformance_suite!(httpants_testkit::conformance::Sockets<httpants_smol::Smol>, linux);
