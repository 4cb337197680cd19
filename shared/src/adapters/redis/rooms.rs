//! Waiting rooms: six keys per sale, `{room:SALE}:…`, which Redis forgets by itself when the sale is long over.
//!
//! | key | what |
//! |---|---|
//! | `state` (hash) | the counters, and the shuffle |
//! | `places` (hash) | user → index |
//! | `heard` (hash) | index → when last heard of; 0: left |
//! | `letin` (hash) | index → when let in |
//! | `inside` (sorted set) | index → until when believed to be inside |
//! | `restoring` | somebody is making the line |

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::{FromRedisValue, Script};

use super::connection::RedisPool;
use crate::domain::room::{Draw, Line};
use crate::domain::{SaleId, UserId};
use crate::ports::rooms::{Call, Joined, LetIn, Rooms, RoomsError};

static LOOK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("rooms/look.lua")));
static RESTORE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("rooms/restore.lua")));
static JOIN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("rooms/join.lua")));
static CALL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("rooms/call.lua")));
static HEAR: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("rooms/hear.lua")));
static LEAVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("rooms/leave.lua")));
static SERVED: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("rooms/served.lua")));
static CLOSE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local joined = redis.call('HGET', KEYS[1], 'joined')
         if not joined then return false end
         redis.call('HSETNX', KEYS[1], 'early', joined)
         return tonumber(redis.call('HGET', KEYS[1], 'early'))",
    )
});
/// It only rises: instances that reserve at the same time tell of it in any order.
static RESERVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local known = redis.call('HGET', KEYS[1], 'reserved')
         if not known or tonumber(known) >= tonumber(ARGV[1]) then return 0 end
         return redis.call('HSET', KEYS[1], 'reserved', ARGV[1])",
    )
});
/// Only where the line is still there: a field alone would look like a line.
static SET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
         return redis.call('HSET', KEYS[1], unpack(ARGV))",
    )
});

/// The lines in Redis.
#[derive(Clone)]
pub struct RedisRooms {
    pool: Arc<RedisPool>,
}

impl RedisRooms {
    /// Lines over `pool`.
    pub fn new(pool: Arc<RedisPool>) -> Self {
        Self { pool }
    }

    async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        sale: SaleId,
        keys: &[&str],
        args: &[String],
    ) -> Result<T, RoomsError> {
        let answer = self.pool.call(async |mut redis| {
            let mut call = script.prepare_invoke();
            for name in keys {
                call.key(key(sale, name));
            }
            for arg in args {
                call.arg(arg);
            }
            call.invoke_async(&mut redis).await
        });
        answer.await.map_err(RoomsError)
    }

    async fn fields<T: FromRedisValue>(
        &self,
        sale: SaleId,
        name: &str,
        fields: &[String],
    ) -> Result<Vec<Option<T>>, RoomsError> {
        if fields.is_empty() {
            return Ok(vec![]);
        }
        let mut command = redis::cmd("HMGET");
        command.arg(key(sale, name)).arg(fields);
        let answer = self.pool.call(async |mut redis| command.query_async(&mut redis).await);
        answer.await.map_err(RoomsError)
    }
}

fn key(sale: SaleId, name: &str) -> String {
    format!("{{room:{sale}}}:{name}")
}

fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

/// A field that is missing or of a newer version counts as 0.
fn number<T: std::str::FromStr + Default>(text: &str) -> T {
    text.parse().unwrap_or_default()
}

fn seed_text(seed: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*seed))
}

fn seed_of(text: &str) -> Option<[u8; 16]> {
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

#[async_trait]
impl Rooms for RedisRooms {
    async fn look(&self, sale: SaleId, now_ms: i64) -> Result<Option<Line>, RoomsError> {
        let state: Option<Vec<String>> =
            self.run(&LOOK, sale, &["state", "inside"], &texts([now_ms])).await?;
        let Some(state) = state else { return Ok(None) };
        let [joined, reserved, early, seed, admitted, used, since, inside] = &state[..] else {
            return Err(RoomsError("a line of another shape".into()));
        };
        Ok(Some(Line {
            joined: number(joined),
            reserved: number(reserved),
            draw: seed_of(seed).map(|seed| Draw { count: number(early), seed }),
            admitted: number(admitted),
            inside: number(inside),
            used_until_ms: number(used),
            since_ms: number(since),
            now_ms,
        }))
    }

    async fn may_restore(
        &self,
        sale: SaleId,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<bool, RoomsError> {
        let life_ms = until_ms.saturating_sub(now_ms).max(1);
        let mut command = redis::cmd("SET");
        command.arg(key(sale, "restoring")).arg("").arg("NX").arg("PX").arg(life_ms);
        let set = self.pool.call(async |mut redis| command.query_async(&mut redis).await).await;
        let set: Option<String> = set.map_err(RoomsError)?;
        Ok(set.is_some())
    }

    async fn restore(
        &self,
        sale: SaleId,
        line: &Line,
        let_in: &[LetIn],
        forget_ms: i64,
    ) -> Result<(), RoomsError> {
        let (early, seed) = match &line.draw {
            Some(draw) => (draw.count, seed_text(&draw.seed)),
            None => (0, String::new()),
        };
        let mut args = texts([line.joined, line.reserved, early]);
        args.push(seed);
        args.push(line.admitted.to_string());
        args.extend(texts([line.since_ms, forget_ms]));
        for LetIn { indexes, at_ms, until_ms } in let_in {
            let each = |index: &u64| [index.to_string(), at_ms.to_string(), until_ms.to_string()];
            args.extend(indexes.iter().flat_map(each));
        }
        self.run::<i64>(&RESTORE, sale, &["state", "letin", "inside"], &args).await.map(drop)
    }

    async fn reserve(&self, sale: SaleId, to: u64) -> Result<(), RoomsError> {
        self.run::<i64>(&RESERVE, sale, &["state"], &texts([to])).await.map(drop)
    }

    async fn join(
        &self,
        sale: SaleId,
        users: &[UserId],
        now_ms: i64,
    ) -> Result<Option<Vec<Joined>>, RoomsError> {
        let mut args = vec![now_ms.to_string()];
        args.extend(users.iter().map(|user| user.as_str().to_owned()));
        let indexes: Option<Vec<i64>> =
            self.run(&JOIN, sale, &["state", "places", "heard"], &args).await?;
        let joined = |index: i64| u64::try_from(index).map_or(Joined::Short, Joined::At);
        Ok(indexes.map(|indexes| indexes.into_iter().map(joined).collect()))
    }

    async fn find(&self, sale: SaleId, users: &[UserId]) -> Result<Vec<Option<u64>>, RoomsError> {
        let users: Vec<_> = users.iter().map(|user| user.as_str().to_owned()).collect();
        self.fields(sale, "places", &users).await
    }

    async fn close_early(&self, sale: SaleId) -> Result<Option<u64>, RoomsError> {
        self.run(&CLOSE, sale, &["state"], &[]).await
    }

    async fn shuffle(&self, sale: SaleId, draw: &Draw) -> Result<(), RoomsError> {
        let args = ["early".into(), draw.count.to_string(), "seed".into(), seed_text(&draw.seed)];
        self.run::<i64>(&SET, sale, &["state"], &args).await.map(drop)
    }

    async fn call(&self, sale: SaleId, call: &Call<'_>) -> Result<bool, RoomsError> {
        let mut args = texts([call.from, call.to]);
        args.extend(texts([call.used_until_ms, call.at_ms, call.believed_until_ms]));
        args.extend(texts(call.indexes));
        let done: i64 = self.run(&CALL, sale, &["state", "letin", "inside"], &args).await?;
        Ok(done == 1)
    }

    async fn let_in(&self, sale: SaleId, indexes: &[u64]) -> Result<Vec<Option<i64>>, RoomsError> {
        self.fields(sale, "letin", &texts(indexes)).await
    }

    async fn heard(&self, sale: SaleId, indexes: &[u64]) -> Result<Vec<Option<i64>>, RoomsError> {
        self.fields(sale, "heard", &texts(indexes)).await
    }

    async fn hear(
        &self,
        sale: SaleId,
        heard: &[(u64, UserId)],
        now_ms: i64,
        believed_until_ms: i64,
    ) -> Result<(), RoomsError> {
        let mut args = texts([now_ms, believed_until_ms]);
        args.extend(heard.iter().flat_map(|(index, user)| [index.to_string(), user.to_string()]));
        let keys = ["state", "heard", "inside", "places"];
        self.run::<i64>(&HEAR, sale, &keys, &args).await.map(drop)
    }

    async fn leave(&self, sale: SaleId, user: &UserId, index: u64) -> Result<(), RoomsError> {
        let args = [user.as_str().to_owned(), index.to_string()];
        self.run::<i64>(&LEAVE, sale, &["places", "heard", "inside"], &args).await.map(drop)
    }

    async fn served(&self, sale: SaleId, users: &[UserId]) -> Result<(), RoomsError> {
        let users: Vec<_> = users.iter().map(|user| user.as_str().to_owned()).collect();
        self.run::<i64>(&SERVED, sale, &["places", "inside"], &users).await.map(drop)
    }
}
