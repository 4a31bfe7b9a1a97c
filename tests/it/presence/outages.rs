//! Presence through kills of instances, and outages of NATS and of the bucket.

use super::*;

#[tokio::test]
async fn members_of_a_killed_instance_expire_and_can_rejoin_another() {
    let environment = TestEnvironment { flags: vec![SHORT.to_owned()], ..TestEnvironment::new().await };
    let app = App::start_at(environment.clone()).await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let project = project(&app, &ada, &[(&bea, "member")]).await;
    let settings = [environment.settings().as_slice(), &["--pool-size", "4", "--presence-seconds", "2"]].concat();
    let (mut doomed, stays) = (Process::start("query-api", &settings), Process::start("query-api", &settings));
    tokio::join!(doomed.ready(), stays.ready());
    let on_doomed = Actor { url: doomed.url.clone(), ..bea.clone() };
    let listener = Actor { url: stays.url.clone(), ..ada.clone() };
    let mut stream = open(&listener, &format!("/v1/projects/{project}/events/stream")).await;
    let _hers = open(&on_doomed, &format!("/v1/projects/{project}/events/stream")).await;
    // The remaining instance receives both, one of them through each instance.
    announce(&listener, &project, json!({"device_id": "desk"})).await;
    assert_eq!(next_presence(&mut stream).await, presence_of("joined", &ada, &[]));
    announce(&on_doomed, &project, json!({"device_id": "phone"})).await;
    assert_eq!(next_presence(&mut stream).await, presence_of("joined", &bea, &[]));
    let before = Instant::now();
    announce(&on_doomed, &project, json!({"device_id": "phone"})).await;
    announce(&listener, &project, json!({"device_id": "desk"})).await;
    doomed.kill();
    let expired: BTreeSet<_> = [next_presence(&mut stream).await, next_presence(&mut stream).await].into();
    let after = before.elapsed();
    assert!(after >= TTL && after < TTL + SLOW, "{after:?}");
    assert_eq!(expired, [presence_of("left", &ada, &[]), presence_of("left", &bea, &[])].into());
    // She continues on the other instance, and is removed immediately when she leaves.
    let on_other = Actor { url: stays.url.clone(), ..bea };
    announce(&on_other, &project, json!({"device_id": "phone"})).await;
    assert_eq!(next_presence(&mut stream).await, presence_of("joined", &on_other, &[]));
    let before = Instant::now();
    leave(&on_other, &project, "phone").await;
    assert_eq!(next_presence(&mut stream).await, presence_of("left", &on_other, &[]));
    assert!(before.elapsed() < TTL, "{:?}", before.elapsed());
    drop(stream);
    app.finish().await;
}

#[tokio::test]
async fn without_nats_only_presence_is_refused() {
    let dir = data_dir("presence");
    let options = Options {
        data_dir: dir,
        postgres: false,
        nats: Some("TASKFOLD".to_owned()),
        durability: Durability::TestsOnly,
    };
    let stack = Stack::start(options).await.unwrap();
    let environment = TestEnvironment { nats_url: stack.nats_url().unwrap(), ..TestEnvironment::new().await };
    let app = App::start_at(environment).await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let project = project(&app, &ada, &[(&bea, "member")]).await;
    let mut stream = open(&ada, &format!("/v1/projects/{project}/events/stream")).await;
    announce(&ada, &project, json!({"device_id": "desk"})).await;
    assert_eq!(next_presence(&mut stream).await, presence_of("joined", &ada, &[]));

    let pid = stack.servers()[0].pid.unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.try_into().unwrap()), nix::sys::signal::SIGKILL).unwrap();
    let refused = eventually("presence is refused", || async {
        let answer = ada.put(&path(&project), json!({"device_id": "desk"})).await;
        (answer.status == 503).then_some(answer)
    })
    .await;
    refused.problem(503, "unavailable");
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(present(&ada, &project).await, names(&["ada"]), "as it was last known");
    ada.task(&project, "T").await;
    assert_eq!(stream.next_change().await.unwrap().event, "task.created");

    // The bucket was in memory: it is created again, and nobody was reported as absent meanwhile.
    announce(&ada, &project, json!({"device_id": "desk"})).await;
    announce(&bea, &project, json!({"device_id": "desk"})).await;
    assert_eq!(next_presence(&mut stream).await, presence_of("joined", &bea, &[]));
    leave(&ada, &project, "desk").await;
    assert_eq!(next_presence(&mut stream).await, presence_of("left", &ada, &[]));
    drop(stream);
    app.finish().await;
    stack.stop().await;
}

#[tokio::test]
async fn a_lost_bucket_is_recreated() {
    let environment = TestEnvironment::new().await;
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment).await);
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let project = project(&app, &ada, &[(&bea, "member")]).await;
    let on_second = Actor { url: second.url.clone(), ..bea.clone() };
    let mut stream = open(&on_second, &format!("/v1/projects/{project}/events/stream")).await;
    announce(&ada, &project, json!({"device_id": "desk"})).await;
    assert_eq!(next_presence(&mut stream).await, presence_of("joined", &ada, &[]));
    // As after the loss of the one server that had it in memory, which is not the one that the instances are connected
    // to.
    let jetstream = async_nats::jetstream::new(app.nats().await);
    jetstream.delete_key_value(format!("{}_PRESENCE", app.stream)).await.unwrap();
    ada.put(&path(&project), json!({"device_id": "desk"})).await.problem(503, "unavailable");
    announce(&bea, &project, json!({"device_id": "desk"})).await;
    assert_eq!(next_presence(&mut stream).await, presence_of("joined", &bea, &[]));
    assert_eq!(present(&on_second, &project).await, names(&["ada", "bea"]), "her presence lasts until it expires");
    drop(stream);
    second.stop().await;
    app.finish().await;
}
