-- The job in Flink SQL: a threshold on each trade, exactly once. `$name` is filled in by peer.py.
SET 'execution.target' = 'local';
SET 'table.dml-sync' = 'true';
SET 'parallelism.default' = '$parallelism';
SET 'execution.checkpointing.interval' = '$checkpoint_ms ms';
SET 'execution.checkpointing.dir' = '$checkpoints';
SET 'execution.checkpointing.externalized-checkpoint-retention' = 'RETAIN_ON_CANCELLATION';
$resume
CREATE TABLE trades (
  `@timestamp` STRING, trade_id STRING, symbol STRING, price DOUBLE, `size` BIGINT, side STRING,
  source STRING, ts_recv STRING, publisher_id BIGINT, instrument_id BIGINT, action STRING, depth BIGINT,
  flags BIGINT, ts_in_delta BIGINT, `sequence` BIGINT, rtype BIGINT
) WITH (
  'connector' = 'kafka',
  'properties.bootstrap.servers' = '$bootstrap',
  'topic' = '$source',
  'format' = 'json',
  'properties.group.id' = '$group',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'group-offsets',
  'properties.auto.offset.reset' = 'earliest'
);

CREATE TABLE large_trades WITH (
  'topic' = '$sink',
  'key.format' = 'raw',
  'key.fields' = 'symbol',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = '$group',
  'properties.transaction.timeout.ms' = '$transaction_timeout_ms'
) LIKE trades (OVERWRITING OPTIONS);

INSERT INTO large_trades SELECT * FROM trades WHERE `size` > $threshold;
