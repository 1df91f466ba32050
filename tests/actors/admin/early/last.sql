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
	created_at VARCHAR NOT NULL, status VARCHAR DEFAULT 'active' NOT NULL, reason VARCHAR, delete_after FLOAT, retired_at VARCHAR, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO tenants VALUES('642e4e12f196cb78cc6ec44d568cca48','acme','2026-11-24T22:00:00Z','active',NULL,NULL,NULL);
INSERT INTO tenants VALUES('eaf08767a514cf7046c1fea2f7439fea','globex','2026-11-24T22:00:00Z','active',NULL,NULL,NULL);
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
INSERT INTO people VALUES('p_08f5ef2c9b8cbee9',NULL,'first developer admin',NULL,'developer admin','[]','2026-11-24T22:00:00Z',NULL);
INSERT INTO people VALUES('p_0325bd1682390e0c','642e4e12f196cb78cc6ec44d568cca48','admin owner',NULL,'admin owner','[]','2026-11-24T22:00:00Z',NULL);
INSERT INTO people VALUES('p_6d057d16547acb2f','eaf08767a514cf7046c1fea2f7439fea','admin owner',NULL,'admin owner','[]','2026-11-24T22:00:00Z',NULL);
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
	tenant_id VARCHAR(32), 
	revision INTEGER, 
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
INSERT INTO tokens VALUES(X'e7dab60f0bda918ee1705dcca7a0ae59deeb0babd81bf0c47b818e83d3d5a7b4','t_9c353f755b59b54d',NULL,'made at the first start','2026-11-24T22:00:00Z',NULL,'p_08f5ef2c9b8cbee9',NULL,NULL,NULL);
INSERT INTO tokens VALUES(X'e55c5a09c0809624c3a7efe4c3a536ec3cc49dccd81c72625ca017c24aeb0c8a','t_c1748838d64fed35','642e4e12f196cb78cc6ec44d568cca48','demo','2026-11-24T22:00:00Z',NULL,'p_0325bd1682390e0c',NULL,NULL,1795937880.0);
INSERT INTO tokens VALUES(X'd106c4dbfcf970b69d64f973ae8ef998a90c50badc594adc6645b87ae6843fcb','t_fc31d1ca84c9b6a6','eaf08767a514cf7046c1fea2f7439fea','demo','2026-11-24T22:00:00Z',NULL,'p_6d057d16547acb2f',NULL,NULL,1795937880.0);
CREATE INDEX people_of_tenant ON people (tenant_id, id);
CREATE UNIQUE INDEX one_admin_owner ON people (tenant_id) WHERE role = 'admin owner';
CREATE INDEX tokens_of_tenant ON tokens (tenant_id, id);
CREATE INDEX tokens_of_person ON tokens (person_id);
COMMIT;
