// A virtual network for the app, and private endpoints for storage, the models and Redis.
param name string
param location string
param tags object
param storageName string
param modelNames string[]
param redisNames string[]

var storageId = resourceId('Microsoft.Storage/storageAccounts', storageName)
var suffix = environment().suffixes.storage
var zones = {
  blob: 'privatelink.blob.${suffix}'
  table: 'privatelink.table.${suffix}'
  account: 'privatelink.openai.azure.com'
  redisEnterprise: 'privatelink.redis.azure.net'
}
// The host needs blobs, the sessions tables. The group is the name that each service gives its endpoint.
var targets = concat(
  [
    { name: '${storageName}-blob', id: storageId, group: 'blob' }
    { name: '${storageName}-table', id: storageId, group: 'table' }
  ],
  map(modelNames, (model) => {
    name: model
    id: resourceId('Microsoft.CognitiveServices/accounts', model)
    group: 'account'
  }),
  map(redisNames, (redis) => {
    name: redis
    id: resourceId('Microsoft.Cache/redisEnterprise', redis)
    group: 'redisEnterprise'
  })
)
var groups = union(map(targets, (target) => target.group), [])

resource network 'Microsoft.Network/virtualNetworks@2025-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.0.0.0/16'] }
    subnets: [
      {
        name: 'app'
        properties: {
          // The platform accepts /27 as the smallest.
          addressPrefix: '10.0.0.0/24'
          // Flex Consumption runs on the platform of Container Apps.
          delegations: [{ name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'endpoints'
        properties: { addressPrefix: '10.0.1.0/24' }
      }
    ]
  }

  resource endpointSubnet 'subnets' existing = {
    name: 'endpoints'
  }
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for group in groups: {
    name: zones[group]
    location: 'global'
    tags: tags
  }
]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (group, index) in groups: {
    parent: zone[index]
    name: name
    location: 'global'
    tags: tags
    properties: { registrationEnabled: false, virtualNetwork: { id: network.id } }
  }
]

resource endpoint 'Microsoft.Network/privateEndpoints@2025-01-01' = [
  for target in targets: {
    name: 'pe-${target.name}'
    location: location
    tags: tags
    properties: {
      subnet: { id: network::endpointSubnet.id }
      privateLinkServiceConnections: [
        { name: target.group, properties: { privateLinkServiceId: target.id, groupIds: [target.group] } }
      ]
    }
  }
]

resource record 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-01-01' = [
  for (target, index) in targets: {
    parent: endpoint[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        { name: target.group, properties: { privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', zones[target.group]) } }
      ]
    }
    dependsOn: [zone]
  }
]
