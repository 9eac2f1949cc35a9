//! The behaviour suite on smol.

httpants_driver::conformance_suite!(httpants_driver::conformance::Sockets<httpants_smol::Smol>, linux);
