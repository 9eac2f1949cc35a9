//! The behaviour suite on async-std.

httpants_driver::conformance_suite!(httpants_driver::conformance::Sockets<httpants_async_std::AsyncStd>, linux, one pool);
