//! Every component of the system and every dependency fails in every way, under load and with followers.

/// Faults, and how each is caused.
mod fault;
/// Continuous load.
mod load;
/// The system under test.
mod system;
/// Verdict on each fault.
mod verdict;

use std::time::Duration;

use self::fault::{Fault, How, Pair, Target, fault};
use self::system::System;

/// Run time of the load between two faults.
const BETWEEN: Duration = Duration::from_secs(2);

/// Causes the faults one after the other, and prints a table; at the end no check may have failed.
async fn survive(name: &str, faults: &[Fault]) {
    let mut system = System::start(name).await;
    let world = system.world().await;
    let record = load::Record::default();
    let mut work = world.start(&record);
    let mut wrong = Vec::new();
    println!("{}", verdict::TABLE_HEAD);
    for fault in faults {
        if let Some(missing) = fault.missing_requirement(&system) {
            println!("| {fault} | left out: it takes {missing} | | | | |");
            continue;
        }
        tokio::time::sleep(BETWEEN).await;
        let inflicted = fault.inflict(&mut system).await;
        let verdict = verdict::of(*fault, inflicted, &system, &world, &record).await;
        println!("{verdict}");
        for what in verdict.wrong {
            println!("wrong: {what}");
            wrong.push(format!("{fault}: {what}"));
        }
    }
    work.shutdown().await;
    system.stop().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_common_faults_are_survived() {
    let faults = [
        fault(Target::Postgres, How::Frozen(6)),
        fault(Target::Postgres, How::Full(2)),
        fault(Target::Postgres, How::ReadOnly(2)),
        fault(Target::Nats, How::Frozen(3)),
        fault(Target::Projector, How::Frozen(10)),
        fault(Target::Network(Pair::CommandApiPostgres), How::Silent(5)),
        fault(Target::Network(Pair::ProjectorPostgres), How::Silent(5)),
        fault(Target::Postgres, How::Restored),
    ];
    survive("faults", &faults).await;
}

/// `cargo test --test it every_fault -- --ignored --nocapture` prints the table of docs/operating.md. With
/// TASKFOLD_FAULTS in the environment, such as `NATS`, only the faults whose names begin with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes half an hour"]
async fn every_fault_is_survived() {
    let wanted = std::env::var("TASKFOLD_FAULTS").unwrap_or_default();
    let faults: Vec<Fault> = fault::all().into_iter().filter(|fault| fault.to_string().starts_with(&wanted)).collect();
    survive("every-fault", &faults).await;
}
