// Azure Managed Redis as the answer cache that all instances share. It refuses access keys.
param name string
param location string
param tags object
param sku string
param publicAccess bool

@description('The identity of the app. Redis knows it by this id, which is also its user name.')
param principalId string

resource redis 'Microsoft.Cache/redisEnterprise@2025-07-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: sku }
  properties: {
    // A lost cache costs model calls, no data.
    highAvailability: 'Disabled'
    minimumTlsVersion: '1.2'
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
  }

  resource database 'databases' = {
    name: 'default'
    properties: {
      accessKeysAuthentication: 'Disabled'
      clientProtocol: 'Encrypted'
      // One address for all shards: the app's client does not speak the protocol of Redis clusters.
      clusteringPolicy: 'EnterpriseCluster'
      evictionPolicy: 'AllKeysLRU'
      port: 10000
    }

    resource access 'accessPolicyAssignments' = {
      name: 'app'
      properties: {
        accessPolicyName: 'default'
        user: { objectId: principalId }
      }
    }
  }
}
