//! Opening a store: what waiting may mend, and what it cannot.

use crowdlink_store::{PostgresStore, StoreError};
use services::Proxy;

use super::server::{Server, open, row, run};
use crate::harness::assert_refused;

/// The same URL with another user.
fn with_user(url: &str, user: &str) -> String {
    url.replace("crowdlink@", &format!("{user}@"))
}

fn assert_away(opened: Result<std::sync::Arc<PostgresStore>, StoreError>) {
    match opened {
        Err(StoreError::Unavailable(_)) => {}
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it is open"),
    }
}

#[tokio::test]
async fn what_waiting_cannot_mend_is_refused() {
    let server = Server::start();
    let url = server.database().await;
    let (base, _) = url.rsplit_once('/').unwrap();
    assert_refused(open(&format!("{base}/nobody_made_it")).await, "3D000");
    assert_refused(open(&with_user(&url, "nobody")).await, "28000");

    // From here on that user must give a password.
    run(&url, "CREATE ROLE locked LOGIN PASSWORD 'right'").await;
    let file = row(&url, "SHOW hba_file").await;
    let file: &str = file.get(0);
    let line = "host all locked 127.0.0.1/32 scram-sha-256";
    run(
        &url,
        &format!("COPY (SELECT 1) TO PROGRAM 'sed -i \"1i {line}\" {file}'"),
    )
    .await;
    server.postgres.stop().unwrap();
    server.postgres.start_again().unwrap();
    assert_refused(open(&with_user(&url, "locked:wrong")).await, "28P01");
    assert_refused(open(&with_user(&url, "locked")).await, "password");
    // It is let in, and may not make the tables.
    let told = open(&with_user(&url, "locked:right")).await;
    assert_refused(told, "GRANT CREATE ON DATABASE");
}

#[tokio::test]
async fn a_database_that_is_away_is_unavailable() {
    let server = Server::start();
    let url = server.database().await;
    let proxy = Proxy::start(server.postgres.address()).unwrap();
    let own = server.postgres.address().to_string();
    let beyond = url.replace(&own, &proxy.address().to_string());
    drop(open(&beyond).await.unwrap());
    proxy.cut().unwrap();
    assert_away(open(&beyond).await);
    proxy.stall().unwrap();
    assert_away(open(&beyond).await);
    server.postgres.stop().unwrap();
    // Somebody listens, and hangs up.
    proxy.heal().unwrap();
    assert_away(open(&beyond).await);
    assert_away(open(&url).await);
    server.postgres.start_again().unwrap();
    drop(open(&beyond).await.unwrap());
}

#[tokio::test]
async fn a_database_without_a_free_connection_is_unavailable() {
    let server = Server::start();
    let url = server.database().await;
    run(&url, "CREATE ROLE few LOGIN CONNECTION LIMIT 0").await;
    assert_away(open(&with_user(&url, "few")).await);
}
