//! Measures uploads and downloads of a large file, compared with a server that only copies it to a file and back.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::io::ReaderStream;

use crate::client::text;
use crate::statistics::{median, spread};
use crate::system::System;

const RUNS: usize = 3;
const MIB: usize = 1024 * 1024;

type Body = BoxBody<Bytes, std::io::Error>;

pub async fn run(mebibytes: usize) -> anyhow::Result<()> {
    let system = System::start().await?;
    let api = system.role("all").await?;
    let (mut someone, project) = api.someone().await?;
    let task =
        someone.json("POST", &format!("/v1/projects/{project}/tasks"), json!({"title": "T"}).to_string()).await?;
    let path = format!("/v1/tasks/{}/attachments", text(&task, "id")?);
    let copier = Copier::start().await?;

    let mut rates: [Vec<f64>; 4] = Default::default();
    for _ in 0..RUNS {
        let (up, _) = timed(&copier.address, "PUT", "/", "", mebibytes).await?;
        let (down, _) = timed(&copier.address, "GET", "/", "", mebibytes).await?;
        let (our_up, reply) = timed(&api.address, "POST", &path, &someone.token, mebibytes).await?;
        let reply: Value = serde_json::from_slice(&reply)?;
        let content = format!("{path}/{}/content?min_position={}", text(&reply, "created_id")?, reply["position"]);
        let (our_down, _) = timed(&api.address, "GET", &content, &someone.token, mebibytes).await?;
        for (rates, rate) in rates.iter_mut().zip([up, down, our_up, our_down]) {
            rates.push(rate);
        }
        someone.send("DELETE", &format!("{path}/{}", text(&reply, "created_id")?), String::new()).await?;
    }
    let ratio = |ours: &[f64], theirs: &[f64]| median(ours.to_vec()) / median(theirs.to_vec());
    let [up, down, our_up, our_down] = &rates;
    println!("{mebibytes} MiB, MB/s, {RUNS} runs, on disk before it is answered");
    println!("upload:   {} beside a plain copy {}: {:.2}", spread(our_up, 0), spread(up, 0), ratio(our_up, up));
    println!("download: {} beside a plain copy {}: {:.2}", spread(our_down, 0), spread(down, 0), ratio(our_down, down));
    drop(api);
    system.stop().await
}

/// Throughput of one request in MB/s, and the response body if it is small.
async fn timed(
    address: &str,
    method: &str,
    path: &str,
    token: &str,
    mebibytes: usize,
) -> anyhow::Result<(f64, Vec<u8>)> {
    let (mut connection, driver) =
        hyper::client::conn::http1::handshake::<_, Body>(TokioIo::new(TcpStream::connect(address).await?)).await?;
    tokio::spawn(driver);
    let download = method == "GET";
    let body = if download { Empty::new().map_err(|never| match never {}).boxed() } else { pieces(mebibytes) };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "bench")
        .header("prefer", "wait=10")
        .header("authorization", format!("Bearer {token}"))
        .body(body)?;
    let began = Instant::now();
    let answer = connection.send_request(request).await?;
    let status = answer.status();
    let (mut body, mut bytes, mut little) = (answer.into_body(), 0, Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        bytes += data.len();
        if little.len() < MIB {
            little.extend_from_slice(&data);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    ensure!(status.is_success(), "{method} {path}: {status} {}", String::from_utf8_lossy(&little));
    ensure!(!download || bytes == mebibytes * MIB, "{bytes} bytes came back");
    Ok(((mebibytes * MIB) as f64 / 1e6 / seconds, little))
}

fn pieces(mebibytes: usize) -> Body {
    let piece = Bytes::from((0..64 * 1024_usize).map(|i| (i * 31 + i / 251) as u8).collect::<Vec<u8>>());
    let pieces = futures::stream::repeat(piece).take(mebibytes * 16).map(|piece| Ok(Frame::data(piece)));
    BodyExt::boxed(StreamBody::new(pieces))
}

/// The minimum that a server has to do: write the body to a file, and send the file as a body.
struct Copier {
    address: String,
    file: PathBuf,
}

impl Copier {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let file = std::env::temp_dir().join(format!("taskfold-bench-copy-{}", std::process::id()));
        let path = file.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let path = path.clone();
                let service = service_fn(move |request| {
                    let path = path.clone();
                    async move { Ok::<_, Infallible>(copy(&path, request).await.unwrap_or_else(failed)) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
                );
            }
        });
        Ok(Self { address, file })
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

async fn copy(path: &Path, request: Request<Incoming>) -> anyhow::Result<Response<Body>> {
    if request.method() == Method::GET {
        let file = tokio::fs::File::open(path).await.context("opening the copy")?;
        let frames = ReaderStream::with_capacity(file, MIB).map_ok(Frame::data);
        return Ok(Response::new(BodyExt::boxed(StreamBody::new(frames))));
    }
    let mut file = tokio::fs::File::create(path).await.context("making the copy")?;
    file.set_max_buf_size(MIB);
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            file.write_all(&data).await?;
        }
    }
    file.flush().await?;
    // Like our server: synced to disk before the response.
    file.sync_all().await?;
    Ok(Response::new(Empty::new().map_err(|never| match never {}).boxed()))
}

fn failed(_: anyhow::Error) -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
    response
}
