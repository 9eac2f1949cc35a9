//! The servers that the application runs on: axum's own, and this one on each runtime.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use async_compat::Compat;
use axum::Router;
use axum::extract::ConnectInfo;
use httpants_driver::runtime::{Runtime, Spawn};
use httpants_driver::tower::TowerService;
use httpants_driver::{Address, Handle, ListenAddress, Serve, Server};

use tower::util::MapFutureLayer;

use crate::application::application;

/// A server that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    stop: Option<Box<dyn FnOnce()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, the test has already failed.
            let _ = thread.join();
        }
    }
}

/// Starts `axum::serve`, which is hyper on tokio.
pub(crate) fn axum() -> Running {
    let (tell_address, address) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell_address.send(listener.local_addr().unwrap()).unwrap();
            let service = application().into_make_service_with_connect_info::<SocketAddr>();
            tokio::select! {
                served = async { axum::serve(listener, service).await } => served.unwrap(),
                _ = stopped => {}
            }
        });
    });
    let address = address.recv().unwrap();
    Running { name: "axum::serve", address, stop: Some(Box::new(|| drop(stop))), thread: Some(thread) }
}

/// Starts this server on this runtime.
pub(crate) fn httpants<R>(name: &'static str, application: Router) -> Running
where
    R: Runtime + Default + Spawn<Serve<R, TowerService<Router>>> + Send,
    R::Transport: Send,
{
    let service = TowerService::new(application).extend(|request, extensions| {
        if let Address::Ip(remote) = request.connection_info().remote_addr {
            extensions.insert(ConnectInfo(remote));
        }
    });
    start::<R>(name, service)
}

fn start<R>(name: &'static str, service: TowerService<Router>) -> Running
where
    R: Runtime + Default + Spawn<Serve<R, TowerService<Router>>> + Send,
    R::Transport: Send,
{
    let bound = Server::<R, _>::new(service).listen("127.0.0.1:0").bind().unwrap();
    let Some(&ListenAddress::Socket(address)) = bound.local_addresses().first() else { panic!("a TCP address") };
    let handle: Handle = bound.handle();
    // The runtime need not be `Sync`, so the server moves to the thread.
    let thread = std::thread::spawn(move || bound.run().unwrap());
    Running { name, address, stop: Some(Box::new(move || handle.close())), thread: Some(thread) }
}

/// axum spawns the task of a WebSocket on tokio, so on other runtimes the application is polled in
/// a tokio context. Nothing else in the application needs a runtime, except the route that is
/// tested with `within_tokio`.
fn with_tokio(application: Router) -> Router {
    application.layer(MapFutureLayer::new(Compat::new))
}

/// Starts this server on this runtime; the service and its bodies run in a tokio context.
pub(crate) fn within_tokio<R>(name: &'static str, application: Router) -> Running
where
    R: Runtime + Default + Spawn<Serve<R, TowerService<Router>>> + Send,
    R::Transport: Send,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tokio = runtime.handle().clone();
    // This thread drives the timers of the tokio runtime; it ends with the test process.
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    let service = TowerService::new(application).within(move |poll| {
        let _entered = tokio.enter();
        poll();
    });
    start::<R>(name, service)
}

/// Starts this server on every runtime.
pub(crate) fn all() -> Vec<Running> {
    vec![
        httpants::<httpants_tokio::Runtime>("httpants-tokio", application()),
        httpants::<httpants_smol::Runtime>("httpants-smol", with_tokio(application())),
        httpants::<httpants_async_std::Runtime>("httpants-async-std", with_tokio(application())),
    ]
}
