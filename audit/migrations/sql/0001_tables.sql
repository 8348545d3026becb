-- The audit store. Rows are narrow: what repeats (files, paths, users, decisions) stands once in a dictionary under
-- a keyed 64-bit hash. See docs/decisions/0010-audit-store.md for why, and for what was measured.

-- The secret of this installation that keys the dictionaries' hashes (nobody can craft a collision).
CREATE TABLE audit_install (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    key bytea NOT NULL CHECK (octet_length(key) = 32)
);
INSERT INTO audit_install (key)
VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

-- Files and paths are shared by all tenants and carry no tenant: the application reads them only through events.
CREATE TABLE audit_file (
    id bigint PRIMARY KEY,
    sha256 bytea NOT NULL,
    path text NOT NULL,
    certificate text NOT NULL,
    last_seen date NOT NULL
);
CREATE INDEX audit_file_sha256 ON audit_file (sha256) WHERE sha256 <> ''::bytea;
CREATE INDEX audit_file_lower_path ON audit_file USING hash (lower(path));
CREATE INDEX audit_file_path_trigrams ON audit_file USING gin (path gin_trgm_ops);
CREATE INDEX audit_file_certificate_trigrams ON audit_file USING gin (certificate gin_trgm_ops) WHERE certificate <> '';

CREATE TABLE audit_path (
    id bigint PRIMARY KEY,
    path text NOT NULL,
    last_seen date NOT NULL
);
CREATE INDEX audit_path_trigrams ON audit_path USING gin (path gin_trgm_ops);

-- A user is kept per computer: who knows the user knows which computers to look at.
CREATE TABLE audit_user (
    id bigint PRIMARY KEY,
    organization_number integer NOT NULL,
    computer_number integer NOT NULL,
    name text NOT NULL,
    last_seen date NOT NULL
);
CREATE INDEX audit_user_of_organization ON audit_user (organization_number, computer_number);

-- What decided: a policy may be renamed or deleted later, the event still tells what it was called.
CREATE TABLE audit_decision (
    id bigint PRIMARY KEY,
    organization_number integer NOT NULL,
    action smallint NOT NULL,
    policy text NOT NULL,
    policy_name text NOT NULL,
    application text NOT NULL,
    application_name text NOT NULL,
    rule text NOT NULL,
    reason_code text NOT NULL,
    last_seen date NOT NULL
);
CREATE INDEX audit_decision_of_organization ON audit_decision (organization_number, policy);

-- The ledger: one row a batch, written with its events. The same number with other bytes is refused.
CREATE TABLE audit_batch (
    computer_number integer NOT NULL,
    boot_id text NOT NULL,
    batch bigint NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    organization_number integer NOT NULL,
    sha256 bytea NOT NULL,
    accepted integer NOT NULL,
    rejected jsonb NOT NULL,
    first_sequence bigint NOT NULL,
    last_sequence bigint NOT NULL,
    received_at timestamptz NOT NULL,
    folded_at timestamptz,
    PRIMARY KEY (computer_number, boot_id, batch)
);
CREATE INDEX audit_batch_unfolded ON audit_batch (number) WHERE folded_at IS NULL;
CREATE INDEX audit_batch_received ON audit_batch (received_at);

-- Entries of a batch that could not become events, kept raw (cut) for the technician.
CREATE TABLE audit_rejected (
    batch_number bigint NOT NULL,
    index integer NOT NULL,
    organization_number integer NOT NULL,
    computer_number integer NOT NULL,
    received_at timestamptz NOT NULL,
    reason text NOT NULL,
    raw bytea NOT NULL,
    PRIMARY KEY (batch_number, index)
);
CREATE INDEX audit_rejected_of_computer ON audit_rejected (computer_number, received_at);

-- outcome: 0 gap, 1 permitted, 2 ringfenced, 3 would ringfence, 10 denied, 11 would deny (10 and above: any deny).
-- id = number of the batch << 16 | index in it. received_at is the batch's: the same for all its rows.
CREATE TABLE audit_event (
    received_at timestamptz NOT NULL,
    id bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    sequence bigint NOT NULL,
    file_id bigint NOT NULL,
    process_id bigint NOT NULL,
    created_by_id bigint NOT NULL,
    decision_id bigint NOT NULL,
    user_id bigint NOT NULL,
    size bigint NOT NULL,
    bundle_version bigint NOT NULL,
    organization_number integer NOT NULL,
    computer_number integer NOT NULL,
    group_number integer NOT NULL,
    outcome smallint NOT NULL,
    action_type smallint NOT NULL,
    mode smallint NOT NULL,
    flags smallint NOT NULL,
    command_line text NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX audit_event_newest ON audit_event (organization_number, received_at DESC, id DESC);
CREATE INDEX audit_event_of_computer ON audit_event (computer_number, received_at DESC, id DESC);
CREATE INDEX audit_event_of_file ON audit_event (file_id, organization_number, received_at DESC);
CREATE INDEX audit_event_any_deny ON audit_event (organization_number, received_at DESC, id DESC) WHERE outcome >= 10;

-- Rollups: additive (the same key may stand in several rows), written set-wise by the fold.
CREATE TABLE audit_daily (
    day date NOT NULL,
    organization_number integer NOT NULL,
    group_number integer NOT NULL,
    file_id bigint NOT NULL,
    process_id bigint NOT NULL,
    created_by_id bigint NOT NULL,
    decision_id bigint NOT NULL,
    action_type smallint NOT NULL,
    outcome smallint NOT NULL,
    n integer NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL
) PARTITION BY RANGE (day);
CREATE INDEX audit_daily_of_file ON audit_daily (file_id, organization_number, day);
CREATE INDEX audit_daily_of_process ON audit_daily (process_id, organization_number, day);
CREATE INDEX audit_daily_of_creator ON audit_daily (created_by_id, organization_number, day) WHERE created_by_id <> 0;
CREATE INDEX audit_daily_of_decision ON audit_daily (decision_id, day);

CREATE TABLE audit_daily_file (
    day date NOT NULL,
    organization_number integer NOT NULL,
    file_id bigint NOT NULL,
    outcome smallint NOT NULL,
    n integer NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL
) PARTITION BY RANGE (day);
CREATE INDEX audit_daily_file_of_file ON audit_daily_file (file_id, organization_number, day);
CREATE INDEX audit_daily_file_of_organization ON audit_daily_file (organization_number, day) INCLUDE (file_id, outcome, n);
