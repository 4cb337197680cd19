//! The search for the highest rate, where the highest rate is known.

use std::time::Duration;

use crate::fake::{API_KEY, Front, SERVICE, Seller, Shop};
use loadgen::measure::Arrivals;
use loadgen::{KneePlan, Load, Scenario, knee};

#[tokio::test]
async fn the_knee_is_not_beyond_what_a_narrow_door_lets_through() {
    let url = Shop::new(Seller::Honest).open("only", Front::Narrow).await;
    let load = Load {
        duration: Duration::from_millis(500),
        warm_up: Duration::from_millis(50),
        api_key: Some(API_KEY.into()),
        ..Load::new(vec![url], Scenario::Sync, Arrivals::Closed { connections: 8 })
    };
    let mut shown = Vec::new();
    let plan = KneePlan { load, p99_max: Duration::from_secs(2) };
    let found = knee(plan, |step| shown.push(step.rate)).await.unwrap();

    let per_s_max = 1.0 / SERVICE.as_secs_f64();
    // Besides the door's pace: answers on their way when the time begins, and five may be missing.
    let knee_per_s = found.knee_per_s.unwrap();
    assert!(found.capacity_per_s <= 1.15 * per_s_max, "{found}");
    assert!(knee_per_s <= 1.15 * per_s_max, "{found}");
    assert!(found.problems.is_empty(), "{found}");
    assert!(found.steps.iter().any(|step| !step.sustained && !step.why.is_empty()));
    assert_eq!(shown.len(), found.steps.len() + 1);
    let promised = found.promised.as_ref().unwrap();
    assert!((promised.rate - knee_per_s * 0.8).abs() < 1.0);
    let text = found.to_string();
    assert!(text.contains("at 80 % of the knee"), "{text}");
}
