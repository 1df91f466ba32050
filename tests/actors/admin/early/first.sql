PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES('0002');
CREATE TABLE tenants (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(63) NOT NULL, 
	created_at VARCHAR NOT NULL, status VARCHAR DEFAULT 'active' NOT NULL, reason VARCHAR, delete_after FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO tenants VALUES('2b0c19def1dbeb765420348e3bbd158f','acme','2026-11-24T22:00:00Z','active',NULL,NULL);
INSERT INTO tenants VALUES('1a03fb3d96d341bd1631f80969550851','globex','2026-11-24T22:00:00Z','active',NULL,NULL);
CREATE TABLE people (
	id VARCHAR(18) NOT NULL, 
	tenant_id VARCHAR(32), 
	name VARCHAR(200) NOT NULL, 
	email VARCHAR(254), 
	role VARCHAR NOT NULL, 
	areas VARCHAR DEFAULT '[]' NOT NULL, 
	created_at VARCHAR NOT NULL, 
	removed_at VARCHAR, 
	PRIMARY KEY (id), 
	FOREIGN KEY(tenant_id) REFERENCES tenants (id)
);
INSERT INTO people VALUES('p_1cab1599ace79ce0',NULL,'first developer admin',NULL,'developer admin','[]','2026-11-24T22:00:00Z',NULL);
INSERT INTO people VALUES('p_b1784d4a355f15e6','2b0c19def1dbeb765420348e3bbd158f','admin owner',NULL,'admin owner','[]','2026-11-24T22:00:00Z',NULL);
INSERT INTO people VALUES('p_9f5436398b6fd725','1a03fb3d96d341bd1631f80969550851','admin owner',NULL,'admin owner','[]','2026-11-24T22:00:00Z',NULL);
CREATE TABLE grants (
	id VARCHAR(18) NOT NULL, 
	tenant_id VARCHAR(32) NOT NULL, 
	person_id VARCHAR(18) NOT NULL, 
	reason VARCHAR(500) NOT NULL, 
	granted_by VARCHAR(18) NOT NULL, 
	granted_at VARCHAR NOT NULL, 
	until FLOAT NOT NULL, 
	ended_at VARCHAR, 
	PRIMARY KEY (id), 
	FOREIGN KEY(tenant_id) REFERENCES tenants (id), 
	FOREIGN KEY(person_id) REFERENCES people (id)
);
CREATE TABLE configs (
	tenant_id VARCHAR(32) NOT NULL, 
	revision INTEGER NOT NULL, 
	content VARCHAR NOT NULL, 
	changed_at VARCHAR NOT NULL, 
	changed_by VARCHAR(18) NOT NULL, 
	change VARCHAR(200) NOT NULL, 
	PRIMARY KEY (tenant_id, revision), 
	FOREIGN KEY(tenant_id) REFERENCES tenants (id)
);
CREATE TABLE subscriptions (
	tenant_id VARCHAR(32) NOT NULL, 
	connector VARCHAR(128) NOT NULL, 
	since FLOAT, 
	until FLOAT, 
	PRIMARY KEY (tenant_id, connector), 
	FOREIGN KEY(tenant_id) REFERENCES tenants (id)
);
CREATE TABLE limits (
	tenant_id VARCHAR(32) NOT NULL, 
	content VARCHAR NOT NULL, 
	PRIMARY KEY (tenant_id), 
	FOREIGN KEY(tenant_id) REFERENCES tenants (id)
);
CREATE TABLE receipts (
	caller VARCHAR(18) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	digest BLOB NOT NULL, 
	at FLOAT NOT NULL, 
	result VARCHAR, 
	token_id VARCHAR(18), 
	PRIMARY KEY (caller, id)
);
CREATE TABLE IF NOT EXISTS "tokens" (
	digest BLOB NOT NULL, 
	id VARCHAR(18) NOT NULL, 
	tenant_id VARCHAR(32), 
	label VARCHAR(200) NOT NULL, 
	created_at VARCHAR NOT NULL, 
	revoked_at VARCHAR, 
	person_id VARCHAR(18) NOT NULL, 
	scope VARCHAR, 
	expires_at FLOAT, 
	last_used_at FLOAT, 
	PRIMARY KEY (digest), 
	CONSTRAINT tokens_person FOREIGN KEY(person_id) REFERENCES people (id), 
	UNIQUE (id), 
	FOREIGN KEY(tenant_id) REFERENCES tenants (id)
);
INSERT INTO tokens VALUES(X'0d2ab238ed90e9b3ced71330ca5d03e291f2c43987a72f2e78b1074c2fb20995','t_23931887a9cc0268',NULL,'made at the first start','2026-11-24T22:00:00Z',NULL,'p_1cab1599ace79ce0',NULL,NULL,NULL);
INSERT INTO tokens VALUES(X'6330a950e3beeb1527de4a9e9b24d855fd9e4c4eb0c4dac7387016bf83b36ada','t_125e000dfa06e4ef','2b0c19def1dbeb765420348e3bbd158f','demo','2026-11-24T22:00:00Z',NULL,'p_b1784d4a355f15e6',NULL,NULL,1795937880.0);
INSERT INTO tokens VALUES(X'05e6bd77e58ca8661353b2ad792c23eaaccd48aa969bb99444ea6c6ec245e71e','t_dee2903c2507cf80','1a03fb3d96d341bd1631f80969550851','demo','2026-11-24T22:00:00Z',NULL,'p_9f5436398b6fd725',NULL,NULL,1795937880.0);
CREATE INDEX people_of_tenant ON people (tenant_id, id);
CREATE UNIQUE INDEX one_admin_owner ON people (tenant_id) WHERE role = 'admin owner';
CREATE INDEX tokens_of_person ON tokens (person_id);
COMMIT;
