//! Tests of handlers that share a state.

use std::cell::Cell;
use std::rc::Rc;

use httpants_driver::{Request, Server, StatefulHandler};
use httpants_testkit::memory::Memory;

use crate::world::{World, get, ok};

/// The state need not be `Send` if the runtime does not require it.
#[test]
fn state_is_shared_by_all_requests_and_connections() {
    async fn count(visits: Rc<Cell<u32>>, request: Request) -> String {
        visits.set(visits.get() + 1);
        format!("{} {}", request.path(), visits.get())
    }
    let memory = Memory::new();
    let visits = Rc::new(Cell::new(0));
    let handler = StatefulHandler::new(Rc::clone(&visits), count);
    let handle = memory.start(Server::with_runtime(memory.clone(), handler));
    let world = World { memory, handle };
    for connection in 0..3 {
        let client = world.connect();
        let expected = [1, 2].map(|visit| ok(&format!("/a {}", 2 * connection + visit)));
        assert_eq!(world.ask(&client, get("/a").repeat(2)), expected);
    }
    assert_eq!(visits.get(), 6);
}
