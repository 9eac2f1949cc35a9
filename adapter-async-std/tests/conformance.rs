//! The behaviour suite on async-std.

httpants_testkit::conformance_suite!(httpants_testkit::conformance::Sockets<httpants_async_std::AsyncStd>, linux, one pool);
