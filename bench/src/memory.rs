//! Measures the memory of each role, idle and under load.

use serde_json::{Value, json};

use crate::client::Client;
use crate::clients::through_http;
use crate::statistics::{figure, median, spread};
use crate::system::{Process, System};
use crate::usage::{memory, peak_memory};

const ROLES: [&str; 3] = ["command-api", "projector", "query-api"];
/// Number of clients that send commands, and of clients that read a list of 50 tasks.
const CLIENTS: usize = 32;
const MIB: f64 = 1024.0 * 1024.0;

pub async fn run(seconds: u64, runs: usize) -> anyhow::Result<Value> {
    let mut at_rest = [const { Vec::new() }; 3];
    let mut at_load = [const { Vec::new() }; 3];
    for _ in 0..runs {
        let system = System::start().await?;
        let mut roles = Vec::new();
        for role in ROLES {
            roles.push(system.role(role).await?);
        }
        // Wait until the work at the start is done.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        for (role, rest) in roles.iter().zip(&mut at_rest) {
            rest.push(memory(role.pid())? as f64 / MIB);
        }
        for (peak, load) in load(&roles, seconds).await?.into_iter().zip(&mut at_load) {
            load.push(peak as f64 / MIB);
        }
        drop(roles);
        system.stop().await?;
    }
    println!(
        "MiB resident, {CLIENTS} clients that create tasks and {CLIENTS} that list 50 for {seconds} s; median (least to greatest) of {runs}"
    );
    println!("role | at rest | at load");
    let rows = ROLES.iter().zip(at_rest.iter().zip(&at_load)).map(|(role, (rest, load))| {
        println!("{role} | {} | {}", spread(rest, 0), spread(load, 0));
        json!({"role": role, "at_rest_mib": figure(rest), "at_load_mib": figure(load), "ratio": median(load.clone()) / median(rest.clone())})
    });
    Ok(rows.collect())
}

/// Peak memory of each role under load.
async fn load(roles: &[Process], seconds: u64) -> anyhow::Result<[u64; 3]> {
    let [commands, projector, queries] = roles else { anyhow::bail!("not {} roles", ROLES.len()) };
    let (someone, project) = commands.someone().await?;
    let path = format!("/v1/projects/{project}/tasks");
    let create = |n: usize| ("POST", path.clone(), json!({"title": format!("created {n}")}).to_string());
    let list = |_: usize| ("GET", format!("{path}?limit=50"), String::new());
    let mut reader = Client::connect(&queries.address, &someone.token).await?;
    // Wait until the project can be read.
    while !reader.open("GET", &path, String::new()).await?.status().is_success() {
        reader = Client::connect(&queries.address, &someone.token).await?;
    }
    let work = async {
        tokio::try_join!(
            through_http(&commands.address, &someone.token, CLIENTS, seconds, create),
            through_http(&queries.address, &someone.token, CLIENTS, seconds, list),
        )
    };
    let nested = peak_memory(commands.pid(), peak_memory(projector.pid(), peak_memory(queries.pid(), work)));
    let (nested, of_commands) = nested.await?;
    let (nested, of_projector) = nested?;
    let (worked, of_queries) = nested?;
    worked?;
    Ok([of_commands, of_projector, of_queries])
}
