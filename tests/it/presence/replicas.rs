//! Replicas of the stream and of its presence bucket.

use super::*;

use crate::harness::Cluster;

/// Numbers of replicas of the stream and of its bucket.
async fn replicas(client: &async_nats::Client, stream: &str) -> Option<(usize, usize)> {
    let context = taskfold_projector::stream::context(client);
    let bucket = context.get_stream(format!("KV_{stream}_PRESENCE")).await.ok()?;
    let stream = context.get_stream(stream).await.ok()?;
    Some((stream.cached_info().config.num_replicas, bucket.cached_info().config.num_replicas))
}

#[tokio::test]
async fn replicas_of_stream_and_bucket_are_never_reduced() {
    let cluster = Cluster::start("cluster").await;
    let environment = TestEnvironment { nats_url: cluster.nats_url.clone(), ..TestEnvironment::new().await };
    let of_three = TestEnvironment { flags: vec!["--stream-replicas=3".to_owned()], ..environment.clone() };
    let app = App::start_at(of_three).await;
    let (ada, project, _) = app.with_a_task().await;
    let client = app.nats().await;
    eventually("both have three replicas", || async {
        (replicas(&client, &environment.stream).await? == (3, 3)).then_some(())
    })
    .await;
    announce(&ada, &project, json!({"device_id": "desk"})).await;
    app.stop().await;

    // An operator reduces the stream to one replica, and sets a description on the bucket.
    let context = taskfold_projector::stream::context(&client);
    let bucket = format!("KV_{}_PRESENCE", environment.stream);
    let config = |info: &async_nats::jetstream::stream::Info| info.config.clone();
    let mut smaller = config(context.get_stream(&environment.stream).await.unwrap().cached_info());
    smaller.num_replicas = 1;
    context.update_stream(smaller).await.unwrap();
    let mut described = config(context.get_stream(&bucket).await.unwrap().cached_info());
    described.description = Some("theirs".to_owned());
    context.update_stream(described).await.unwrap();

    // A process with other settings, of which the presence time is also a setting of the bucket.
    let flags = ["--stream-replicas=3", "--presence-seconds=7"].map(str::to_owned).into();
    let app = App::start_at(TestEnvironment { flags, ..environment.clone() }).await;
    let ada = crate::harness::Actor { url: app.url.clone(), ..ada };
    announce(&ada, &project, json!({"device_id": "desk"})).await;
    let info = context.get_stream(&bucket).await.unwrap().cached_info().config.clone();
    assert_eq!((info.max_age, info.description.as_deref()), (Duration::from_secs(12), Some("theirs")));
    assert_eq!(replicas(&client, &environment.stream).await, Some((1, 3)));
    app.finish().await;
}
