//! The behaviour suite of every adapter, over smol.

httpants_driver::conformance_suite!(httpants_driver::conformance::Sockets<httpants_smol::Smol>, linux);
